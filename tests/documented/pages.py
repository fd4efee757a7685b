"""What the documents of this project say: their blocks, the commands in their text, their links and headings."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PROJECT = Path(__file__).parents[2]
COMMANDS = "sh"
# Whatever is not run: what a command prints, drawings, files.
SHOWN = {"json", "text", "yaml", "ini", "python"}

_FENCE = re.compile(r"^```(\S*) *$")
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(?<!\\)!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.*?) *$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, and the number of its first line."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Page:
    """One Markdown file of the project."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(PROJECT).as_posix() if self.path.is_relative_to(PROJECT) else self.path.name

    @cached_property
    def _parted(self) -> tuple[list[Block], list[tuple[int, str]]]:
        """Blocks, and the lines beside them with their numbers."""
        blocks, prose = [], []
        language, inside, begun = "", list[str](), 0
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1):
            fence = _FENCE.match(line)
            if fence and not begun:
                language, inside, begun = fence[1], [], number + 1
            elif begun and line.strip() == "```":
                blocks.append(Block(language, "\n".join(inside) + "\n", begun))
                begun = 0
            elif begun:
                inside.append(line)
            else:
                prose.append((number, line))
        assert not begun, f"{self.name}:{begun}: this block has no end"
        return blocks, prose

    @property
    def blocks(self) -> Sequence[Block]:
        return self._parted[0]

    @property
    def commands(self) -> Sequence[Block]:
        """Blocks that a reader is to run."""
        return [block for block in self.blocks if block.language == COMMANDS]

    @property
    def spoken(self) -> Iterator[tuple[int, str]]:
        """What stands between backquotes in running text, with its line."""
        for number, line in self._parted[1]:
            yield from ((number, code) for code in _CODE.findall(line))

    @property
    def links(self) -> Iterator[tuple[int, str]]:
        """Where it leads, pictures included."""
        for number, line in self._parted[1]:
            yield from ((number, target) for target in _LINK.findall(_CODE.sub("", line)))

    @property
    def anchors(self) -> set[str]:
        """What may follow `#` in a link to it, as GitHub and MkDocs make it from headings."""
        found: set[str] = set()
        for _, line in self._parted[1]:
            if heading := _HEADING.match(line):
                found.add(anchor(heading[1]))
        return found


def anchor(heading: str) -> str:
    """The anchor of a heading: letters, digits, hyphens and underscores, in lower case."""
    plain = unicodedata.normalize("NFKD", re.sub(r"[`*]|\[|\]\([^)]*\)", "", heading))
    return re.sub(r"[\s]", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def pages() -> Sequence[Page]:
    """README, then docs/ in the order of their names, decisions included."""
    found = sorted((PROJECT / "docs").rglob("*.md"))
    return [Page(PROJECT / "README.md"), *(Page(path) for path in found)]


def lines_to_run(block: Block) -> Iterator[str]:
    """The commands of a block one by one, continued lines joined, without comments behind them."""
    joined = re.sub(r"\\\n\s*", "", block.text)
    for line in joined.splitlines():
        command = re.sub(r"(^|\s{2,})# .*$", "", line).strip()
        if command:
            yield command
