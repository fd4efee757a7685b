"""What each function needs of others, pinned as the whole project pins it.

`python -m cluster.lambda_zips.requirements` writes each function's requirements.txt anew, after `make lock`.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEEDED = (
    *("aws-lambda-powertools", "boto3", "botocore", "idna", "jmespath", "msgspec"),
    *("python-dateutil", "s3transfer", "six", "typing-extensions", "urllib3"),
)
"""What the functions import, and what that needs; a test starts each function with this and nothing else."""

_HEAD = "# Written by `python -m cluster.lambda_zips.requirements` from requirements.lock.\n"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==[^\n]*(?:\n[ \t]+[^\n]*)*", re.MULTILINE)


def functions() -> list[str]:
    """The names of the functions, which are those of their folders."""
    return sorted(file.parent.name for file in (ROOT / "lambdas").glob("*/handler.py"))


def requirements() -> str:
    """What stands in each function's requirements.txt.

    Raises:
        KeyError: requirements.lock lacks something.
    """
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = {pin["name"]: pin.group() for pin in _PIN.finditer(lock)}
    return _HEAD + "".join(_without_comments(pins[name]) + "\n" for name in NEEDED)


def _without_comments(pin: str) -> str:
    lines = [line for line in pin.splitlines() if not line.strip().startswith("#")]
    return "\n".join(lines).removesuffix(" \\")


if __name__ == "__main__":
    for function in functions():
        (ROOT / "lambdas" / function / "requirements.txt").write_text(requirements(), encoding="utf-8")
