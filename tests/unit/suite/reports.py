"""JUnit reports as pytest writes them."""

from pathlib import Path

PASSED = '<testcase classname="tests.unit.test_a" name="test_passes" time="0.1" />'
SKIPPED = '<testcase classname="tests.unit.test_a" name="test_skips"><skipped message="not here" /></testcase>'
ERROR = (
    '<testcase classname="tests.unit.test_a" name="test_breaks"><error message="failed on setup">…</error></testcase>'
)


def failed(message: str) -> str:
    return (
        f'<testcase classname="tests.unit.test_a" name="test_fails"><failure message="{message}">…</failure></testcase>'
    )


def report(folder: Path, *cases: str) -> Path:
    file = folder / "report.xml"
    file.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>", encoding="utf-8")
    return file
