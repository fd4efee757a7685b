import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.documented.pages import PROJECT, Page, anchor, pages

ALL = pages()
# Files and folders of the source, in backticks: `domain/door/rules.py`, `consumers/`.
_SOURCE = re.compile(r"`((?:cluster|consumers|deployments|domain|integrations|lambdas|tests)/[\w/]*(?:\.\w+)?)`")


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_every_link_within_the_project_leads_somewhere(page: Page) -> None:
    broken = [f"{page.name}:{line}: {target}" for line, target in page.links if not _leads(page, target)]
    assert broken == []


def _leads(page: Page, target: str) -> bool:
    if target.startswith(("https://", "mailto:")):
        return True
    file, _, place = unquote(target).partition("#")
    path = (page.path.parent / file).resolve() if file else page.path
    if not path.exists() or not path.is_relative_to(PROJECT):
        return False
    return not place or (path.suffix == ".md" and place in Page(path).anchors)


def test_a_link_that_leads_nowhere_is_noticed(tmp_path: Path) -> None:
    readme = Page(PROJECT / "README.md")
    assert not _leads(readme, "docs/nothing.md")
    assert not _leads(readme, "docs/payments.md#nothing")
    assert not _leads(readme, str(tmp_path))
    assert not _leads(readme, "http://127.0.0.1:8000/docs")
    assert _leads(readme, "docs/payments.md#the-sandbox")


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_every_file_that_a_page_names_exists(page: Page) -> None:
    missing = [
        f"{page.name}: {name}" for name in _SOURCE.findall(page.path.read_text()) if not (PROJECT / name).exists()
    ]
    assert missing == []


def test_a_file_that_does_not_exist_is_noticed() -> None:
    assert _SOURCE.findall("`domain/nothing.py`, `consumers/` and `docs/nothing.md`") == [
        "domain/nothing.py",
        "consumers/",
    ]


@pytest.mark.parametrize(
    ("heading", "made"),
    [
        ("The sandbox", "the-sandbox"),
        ("One gym, one command, one reply", "one-gym-one-command-one-reply"),
        ("Stripe's own test mode instead", "stripes-own-test-mode-instead"),
        ("`status --watch` and [more](x.md)", "status---watch-and-more"),
    ],
)
def test_anchors_are_made_as_github_makes_them(heading: str, made: str) -> None:
    assert anchor(heading) == made
