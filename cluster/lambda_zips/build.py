"""Builds `dist/lambdas/<function>.zip`: handler, the modules that it imports, and what these need of others.

`python -m cluster.lambda_zips.build [FOLDER]`. The same sources and requirements give the same bytes. A file is for
the Python that builds it, on Linux x86_64: choose Lambda's runtime accordingly.
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
# Of AWS's services the functions know one; what botocore says of four hundred others would be most of the file.
_SERVICE = "cognito-idp"
_NOT_KEPT = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")  # of the machine that installs
_EPOCH = (1980, 1, 1, 0, 0, 0)


def build(folder: Path) -> list[Path]:
    """Build all functions into a folder; their files, in order.

    Raises:
        CommandError: what they need cannot be installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        wanted, others = Path(scratch) / "requirements.txt", Path(scratch) / "others"
        wanted.write_text(requirements(), encoding="utf-8")
        third_party = _installed(wanted, others)
        built = []
        for function in functions():
            own = Path(scratch) / function
            built.append(folder / f"{function}.zip")
            _write(built[-1], third_party | _our_own(function, own))
    return built


def handler_module(function: str) -> str:
    """The module that AWS is told: `<module>.handler`."""
    return f"lambdas.{function}.handler"


def cold_start_s(function: str, zipped: Path) -> float:
    """How long a new process takes to import a function: the median of some."""
    with tempfile.TemporaryDirectory() as unpacked:
        with ZipFile(zipped) as opened:
            opened.extractall(unpacked)
        # -B: Lambda unpacks where nothing can be written; only what is in the file is compiled.
        words = [sys.executable, "-I", "-S", "-B", "-c", _START.format(module=handler_module(function)), unpacked]
        times = [float(_said(words)) for _ in range(_STARTS)]
    return statistics.median(times)


def _installed(wanted: Path, folder: Path) -> dict[str, Path]:
    """The files of what the functions need of others, by their names in a zip."""
    words = ["--disable-pip-version-check", "--quiet", "--no-compile", "--no-deps", "--require-hashes"]
    words += ["--only-binary=:all:", "--platform", "manylinux2014_x86_64", "--implementation", "cp"]
    done = subprocess.run(  # noqa: S603 - composed above
        [sys.executable, "-m", "pip", "install", *words, "--target", folder, "-r", wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandError("what the functions need cannot be installed", done.stderr.strip().splitlines()[-1])
    for service in (folder / "botocore" / "data").iterdir():
        if service.is_dir() and service.name != _SERVICE:
            shutil.rmtree(service)
    shutil.rmtree(folder / "bin", ignore_errors=True)  # scripts, with the path of this Python in them
    _compile(folder)
    return {name: file for name, file in _named(folder).items() if file.name not in _NOT_KEPT}


def _our_own(function: str, folder: Path) -> dict[str, Path]:
    """The modules of ours that a function imports, copied into a folder, by their names in a zip."""
    for file in _imported(handler_module(function)):
        target = folder / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    _compile(folder)
    return _named(folder)


def _named(folder: Path) -> dict[str, Path]:
    return {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}


def _imported(module: str) -> Iterator[Path]:
    """Our own modules that a function imports, as they are found by importing it."""
    words = [sys.executable, "-c", _LIST.format(module=module)]
    for file in map(Path, _said(words).split()):
        if file.is_relative_to(ROOT) and file.relative_to(ROOT).parts[0] in OURS:
            yield file


def _said(words: list[str]) -> str:
    """What a command has printed; without any setting of whoever runs this."""
    return subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT, env={}).stdout  # noqa: S603 - our own


def _compile(folder: Path) -> None:
    """Put beside each module what Python makes of it: a third of the start."""
    # Without the time of the source in it, and without this folder's name.
    how = ["-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder)]
    _said([sys.executable, "-I", "-S", "-m", "compileall", *how, str(folder)])


def _write(target: Path, files: dict[str, Path]) -> None:
    with ZipFile(target, "w") as zipped:
        for name in sorted(files):
            entry = ZipInfo(name, _EPOCH)
            entry.external_attr = 0o100644 << 16
            entry.create_system = 3  # Unix, whatever builds it
            zipped.writestr(entry, files[name].read_bytes(), ZIP_DEFLATED, 9)


def main(folder: str = "dist/lambdas") -> int:
    """Build, and say how large each file is and how long it takes to start."""
    end_on_signals()
    for zipped in build(Path(folder)):
        started, size = cold_start_s(zipped.stem, zipped), zipped.stat().st_size / 2**20
        print(f"{zipped}  {size:.1f} MiB  starts in {started * 1000:.0f} ms with this Python")  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
