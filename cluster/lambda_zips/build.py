"""Builds `dist/lambdas/<function>.zip`: the handler, our modules that it imports, and the packages that they need.

Run `python -m cluster.lambda_zips.build [FOLDER]`. The same sources and requirements give the same bytes. A zip file is
for the Python version that builds it, on Linux x86_64: choose the same runtime in Lambda.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from cluster.errors import CommandError
from cluster.lambda_zips.requirements import ROOT, functions, requirements
from cluster.signals import end_on_signals

OURS = ("domain", "integrations", "lambdas")
_LIST = (
    "import sys; import {module}; print(*(m.__file__ for m in list(sys.modules.values()) if getattr(m,'__file__',0)))"
)
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from time import perf_counter; began = perf_counter();"
    "import {module}; print(perf_counter() - began)"
)
_STARTS = 5
# The functions call one AWS service. botocore's data about the other 400 would be most of the zip file.
_SERVICE = "cognito-idp"
_NOT_KEPT = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")  # differ between machines
_EPOCH = (1980, 1, 1, 0, 0, 0)


def build(folder: Path) -> list[Path]:
    """Build the zip files of all functions into a folder; returns their paths in order.

    Raises:
        CommandError: a package cannot be installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        file, packages = Path(scratch) / "requirements.txt", Path(scratch) / "packages"
        file.write_text(requirements(), encoding="utf-8")
        third_party = _install(file, packages)
        built = []
        for function in functions():
            own = Path(scratch) / function
            built.append(folder / f"{function}.zip")
            _write(built[-1], third_party | _own_modules(function, own))
    return built


def handler_module(function: str) -> str:
    """The module of a function's handler; AWS is configured with `<module>.handler`."""
    return f"lambdas.{function}.handler"


def cold_start_s(function: str, zipped: Path) -> float:
    """The time that a new process takes to import a function, in seconds: the median of several starts."""
    with tempfile.TemporaryDirectory() as unpacked:
        with ZipFile(zipped) as opened:
            opened.extractall(unpacked)
        # -B: Lambda's folder is read-only, so that only the compiled files of the zip are used.
        words = [sys.executable, "-I", "-S", "-B", "-c", _START.format(module=handler_module(function)), unpacked]
        times = [float(_output(words)) for _ in range(_STARTS)]
    return statistics.median(times)


def _install(file: Path, folder: Path) -> dict[str, Path]:
    """Install the packages into a folder; returns their files by their names in the zip."""
    words = ["--disable-pip-version-check", "--quiet", "--no-compile", "--no-deps", "--require-hashes"]
    words += ["--only-binary=:all:", "--platform", "manylinux2014_x86_64", "--implementation", "cp"]
    done = subprocess.run(  # noqa: S603 - composed above
        [sys.executable, "-m", "pip", "install", *words, "--target", folder, "-r", file],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandError("the packages of the functions cannot be installed", done.stderr.strip().splitlines()[-1])
    for service in (folder / "botocore" / "data").iterdir():
        if service.is_dir() and service.name != _SERVICE:
            shutil.rmtree(service)
    shutil.rmtree(folder / "bin", ignore_errors=True)  # scripts that contain the path of this Python
    _compile(folder)
    return {name: file for name, file in _files(folder).items() if file.name not in _NOT_KEPT}


def _own_modules(function: str, folder: Path) -> dict[str, Path]:
    """Copy our modules that a function imports into a folder; returns them by their names in the zip."""
    for file in _imported(handler_module(function)):
        target = folder / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    _compile(folder)
    return _files(folder)


def _files(folder: Path) -> dict[str, Path]:
    return {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}


def _imported(module: str) -> Iterator[Path]:
    """Our modules that are loaded when the function is imported."""
    words = [sys.executable, "-c", _LIST.format(module=module)]
    for file in map(Path, _output(words).split()):
        if file.is_relative_to(ROOT) and file.relative_to(ROOT).parts[0] in OURS:
            yield file


def _output(words: list[str]) -> str:
    """The standard output of a command that runs in an empty environment."""
    return subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT, env={}).stdout  # noqa: S603 - our own


def _compile(folder: Path) -> None:
    """Compile each module, which shortens the start by a third."""
    # The compiled files must contain neither the source's time nor this folder's name.
    how = ["-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder)]
    _output([sys.executable, "-I", "-S", "-m", "compileall", *how, str(folder)])


def _write(target: Path, files: dict[str, Path]) -> None:
    with ZipFile(target, "w") as zipped:
        for name in sorted(files):
            entry = ZipInfo(name, _EPOCH)
            entry.external_attr = 0o100644 << 16
            entry.create_system = 3  # Unix, whatever builds it
            zipped.writestr(entry, files[name].read_bytes(), ZIP_DEFLATED, 9)


def main(folder: str = "dist/lambdas") -> int:
    """Build, and print each file's size and start time."""
    end_on_signals()
    for zipped in build(Path(folder)):
        started, size = cold_start_s(zipped.stem, zipped), zipped.stat().st_size / 2**20
        print(f"{zipped}  {size:.1f} MiB  starts in {started * 1000:.0f} ms with this Python")  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
