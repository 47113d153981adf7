"""Hooks of the site: pages from outside docs/ come in, links to other files of the repository become text.

The page of settings gets the command builder.
"""

from __future__ import annotations

import posixpath
import re
import runpy
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
OUTSIDE = {
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
    "src/dettrack/models/weights/detector.md": "weights/detector.md",
    "src/dettrack/models/weights/pose.md": "weights/pose.md",
}
BUILDER = "<!-- command builder -->"
"""Where the settings' page has it, in the site; elsewhere this is a comment."""
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside."""
    for source, place in OUTSIDE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make links work from where the page is in the site."""
    inside = {place: source for source, place in OUTSIDE.items()}
    source = inside.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def moved(match: re.Match[str]) -> str:
        image, text, path, anchor = match.groups()
        if "://" in path or path.startswith("mailto:"):
            return match.group()
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        place = OUTSIDE.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else "")
        if not place or not files.get_file_from_path(place):
            return match.group() if image else text
        return f"{image}[{text}]({posixpath.relpath(place, posixpath.dirname(page.file.src_uri) or '.')}{anchor or ''})"

    moved_links = LINK.sub(moved, markdown)
    if page.file.src_uri == "settings.md":
        builder = runpy.run_path(str(ROOT / "docs" / "builder.py"))["element"]()
        return moved_links.replace(BUILDER, f"{BUILDER}\n{builder}")
    return moved_links
