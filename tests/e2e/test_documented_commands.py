"""Every command of README and docs/ works as it stands.

Write a document's commands like this:

- a fenced block with the language `sh` is commands, and nothing else: what they print stands in a block of its own,
  `json` or `text`;
- blocks of one document run one after the other in one Bash (`set -euo pipefail`), so a variable that one sets the
  next one has; every document starts anew, and sets what it needs itself;
- the stack answers at http://127.0.0.1:8000, has the demo, and was started with `fitmonitor up --demo`; the folder is
  that of the checkout, with `.venv` and `.data`;
- no `…` and no `<ID>` in a command: take an id out of an answer, a code out of `.data/mail`. A command that ends with
  another code than 0 says so: `… || test $? = 3`; one that goes on for ever has a `timeout`;
- an answer of the API that is an error ends the test, although `curl -s` would not mind;
- what cannot be run beside others, or in a minute, goes into `tests/documented/elsewhere.py` with who runs it.

All share one stack, with each other and with the tests of this folder: leave nothing behind that the next one stumbles
over, such as a full gym or a retired gate. No test takes a member of the demo whom a document names.
"""

import sys
from pathlib import Path

import pytest

from tests.documented.elsewhere import ELSEWHERE
from tests.documented.pages import Page, pages
from tests.documented.shell import run
from tests.e2e.api import Api

pytestmark = pytest.mark.timeout(900)

# A peak hour of `demo rush` is played in one of them.
LONG = {"docs/rush.md"}
WITHIN_S = 300.0


DOCUMENTS = [
    pytest.param(page, id=page.name, marks=[pytest.mark.soak("tools")] if page.name in LONG else [])
    for page in pages()
    if page.commands
]


@pytest.mark.parametrize("page", DOCUMENTS)
def test_the_commands_of_a_document_work_as_they_stand(page: Page, stack: Api, tmp_path: Path) -> None:
    ran = run(page, tmp_path, stack.url, stack.tested.environment, ELSEWHERE, WITHIN_S)
    sys.stdout.write(ran.said)  # pytest -rP shows it
    assert ran.code == 0, ran.last
