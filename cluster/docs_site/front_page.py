"""A hook of MkDocs that adds README as the site's front page and CHANGELOG as its last page.

`mkdocs.yml` names this file. It changes the links of both to where the pages are on the site.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PAGES = {"README.md": "index.md", "CHANGELOG.md": "changes.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages. MkDocs calls this after it has listed docs/."""
    checkout = Path(config.config_file_path).parent
    for name, page in PAGES.items():
        text = (checkout / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=from_docs(text)))
    return files


def from_docs(text: str) -> str:
    """A text of the top folder with its links changed as if it were in docs/."""
    for name, page in PAGES.items():
        text = text.replace(f"]({name})", f"]({page})")
    return re.sub(r"\]\(docs/([^)]+)\)", r"](\1)", text)
