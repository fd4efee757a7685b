"""The packages that the Lambda functions need, with the versions of requirements.lock.

Run `python -m cluster.lambda_zips.requirements` after `make lock`: it writes each function's requirements.txt.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEEDED = (
    *("aws-lambda-powertools", "boto3", "botocore", "idna", "jmespath", "msgspec"),
    *("python-dateutil", "s3transfer", "six", "typing-extensions", "urllib3"),
)
"""The packages that the functions import, and their dependencies. A test starts each function with these alone."""

_HEAD = "# Written by `python -m cluster.lambda_zips.requirements` from requirements.lock.\n"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==[^\n]*(?:\n[ \t]+[^\n]*)*", re.MULTILINE)


def functions() -> list[str]:
    """The names of the functions, which are the names of their folders."""
    return sorted(file.parent.name for file in (ROOT / "lambdas").glob("*/handler.py"))


def requirements() -> str:
    """The content of each function's requirements.txt.

    Raises:
        KeyError: requirements.lock lacks a package.
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
