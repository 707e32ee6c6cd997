"""What mkdocs is told besides mkdocs.yml: pages of a directory, and files of the repository that pages link to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
IN_THE_SITE = "repository"
"""Where files that are not below docs/ are, as in repository/examples/test_orders.py."""
_LINK = re.compile(r"\]\(((?:\.\./)+)([^)#\s]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """An entry such as `decisions/*` in the navigation stands for all pages there that are not named themselves."""
    config.nav = _with_pages(config.nav or [], Path(config.docs_dir))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside docs/ that pages link to, as they are."""
    linked = {path for page in files.documentation_pages() for path, _ in _outside(page.content_string, page.src_uri)}
    for path in sorted(linked):
        # As text: a browser would download a .py, and mkdocs would make a page of a .md.
        uri = f"{IN_THE_SITE}/{path}.txt"
        files.append(File.generated(config, uri, content=(ROOT / path).read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Let links to such files lead to their copies; others that lead out of docs/ stay, and mkdocs complains."""
    uri = page.file.src_uri
    to_docs = "../" * uri.count("/")
    for path, link in _outside(markdown, uri):
        markdown = markdown.replace(link, f"]({to_docs}{IN_THE_SITE}/{path}.txt)")
    return markdown


def _outside(markdown: str, uri: str) -> list[tuple[str, str]]:
    """(path from the root of the repository, the link in Markdown) of files that are not below docs/."""
    found = []
    for match in _LINK.finditer(markdown):
        target = (ROOT / "docs" / uri).parent / (match[1] + match[2])
        path = target.resolve()
        if path.is_file() and path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "docs"):
            found.append((path.relative_to(ROOT).as_posix(), match[0]))
    return found


def _with_pages(entries: list[Any], docs: Path) -> list[Any]:
    named = {entry for entry in entries if isinstance(entry, str)}
    pages: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            pages.append(
                {name: _with_pages(each, docs) if isinstance(each, list) else each for name, each in entry.items()}
            )
        elif entry.endswith("/*"):
            found = (path.relative_to(docs).as_posix() for path in sorted(docs.glob(f"{entry}.md")))
            pages += [uri for uri in found if uri not in named]
        else:
            pages.append(entry)
    return pages
