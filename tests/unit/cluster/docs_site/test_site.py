import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cluster.docs_site.front_page import from_docs
from tests.documented.pages import PROJECT, pages

# Read by Python before anything else: whatever asks for an address beyond this process fails.
_GUARD = """
import socket
def refuse(*_, **__):
    raise OSError("no network here")
socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = socket.create_connection = refuse
"""


def _build(guard: Path, checkout: Path, into: Path) -> subprocess.CompletedProcess[str]:
    guard.mkdir(exist_ok=True)
    (guard / "sitecustomize.py").write_text(_GUARD, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--config-file", checkout / "mkdocs.yml", "-d", into],
        env={**os.environ, "PYTHONPATH": str(guard), "NO_MKDOCS_2_WARNING": "true"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = _build(folder / "guard", PROJECT, folder / "site")
    assert done.returncode == 0, done.stderr
    return folder / "site"


class _Fetched(HTMLParser):
    """Addresses that a browser fetches by itself when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag in {"script", "img", "iframe", "source", "video", "audio", "embed"}:
            self.addresses += [value for value in (named.get("src"), named.get("srcset")) if value]
        if tag == "link" and named.get("rel") not in {"canonical", "prev", "next"}:
            self.addresses.append(named.get("href") or "")


def _fetched(html: str) -> Iterator[str]:
    parser = _Fetched()
    parser.feed(html)
    yield from parser.addresses


def _is_outside(address: str) -> bool:
    return address.startswith("//") or bool(re.match(r"[a-z]+://", address))


def test_the_site_is_built_without_a_network(site: Path) -> None:
    assert (site / "index.html").is_file()
    assert (site / "search" / "search_index.json").stat().st_size > 10_000


def test_no_page_fetches_anything_from_outside(site: Path) -> None:
    found = list(site.rglob("*.html"))
    outside = {
        f"{page.relative_to(site)}: {address}"
        for page in found
        for address in _fetched(page.read_text(encoding="utf-8"))
        if _is_outside(address)
    }
    assert len(found) > 15
    assert outside == set()


def test_no_style_fetches_anything_from_outside(site: Path) -> None:
    styles = list(site.rglob("*.css"))
    assert styles
    for style in styles:
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", text), style.name


def test_everything_that_a_page_fetches_is_there(site: Path) -> None:
    gone = [
        f"{page.relative_to(site)}: {address}"
        for page in site.rglob("*.html")
        if page.name != "404.html"  # its addresses begin at the site's top, wherever that is
        for address in _fetched(page.read_text(encoding="utf-8"))
        if not address.startswith("data:") and not (page.parent / address.partition("?")[0]).is_file()
    ]
    assert gone == []


def test_every_document_is_a_page_and_readme_is_the_first(site: Path) -> None:
    front = (site / "index.html").read_text(encoding="utf-8")
    assert "Five minutes at the door" in front
    for page in pages():
        if page.name != "README.md":
            at = Path(page.name).relative_to("docs").with_suffix(".html")
            at = at.with_name("index.html") if at.name == "README.html" else at
            assert (site / at).is_file(), page.name


def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    for name in ("README.md", "CHANGELOG.md", "mkdocs.yml"):
        shutil.copy(PROJECT / name, tmp_path / name)
    shutil.copytree(PROJECT / "docs", tmp_path / "docs")
    shutil.copytree(PROJECT / "cluster" / "docs_site", tmp_path / "cluster" / "docs_site")
    with (tmp_path / "docs" / "door.md").open("a", encoding="utf-8") as file:
        file.write("\nSee [nothing](nothing.md).\n")
    done = _build(tmp_path / "guard", tmp_path, tmp_path / "site")
    assert done.returncode != 0
    assert "nothing.md" in done.stderr


def test_the_guard_lets_nothing_out(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(_GUARD, encoding="utf-8")
    code = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9/')"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert "no network here" in done.stderr


def test_readmes_links_lead_to_pages_of_the_site() -> None:
    text = "[a](docs/door.md#x) ![b](docs/pictures/rush.svg) [c](CHANGELOG.md) [d](https://docs.ray.io/) `docs/`"
    assert from_docs(text) == "[a](door.md#x) ![b](pictures/rush.svg) [c](changes.md) [d](https://docs.ray.io/) `docs/`"
