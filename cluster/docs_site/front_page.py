"""A hook of MkDocs: README is the site's front page, CHANGELOG its last one, each as it stands in the checkout.

`mkdocs.yml` names this file. Nothing is written twice: the links of both are turned to where their pages are.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PAGES = {"README.md": "index.md", "CHANGELOG.md": "changes.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Called by MkDocs once it knows what lies in docs/."""
    checkout = Path(config.config_file_path).parent
    for name, page in PAGES.items():
        text = (checkout / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=from_docs(text)))
    return files


def from_docs(text: str) -> str:
    """A page of the top folder as if it lay in docs/."""
    for name, page in PAGES.items():
        text = text.replace(f"]({name})", f"]({page})")
    return re.sub(r"\]\(docs/([^)]+)\)", r"](\1)", text)
