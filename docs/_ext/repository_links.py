"""Links of the repository's Markdown, which work on a code host, made to work on the site.

A page of the site may be nothing but an ``{include}`` of a file that lies elsewhere, such as
the README of a folder of configs. A link to that file leads to the page. A link to a file
that is no page, such as a config, becomes a download. A link to nothing is left as it is,
and sphinx then warns of it.
"""

import os
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent
ROOT = DOCS.parent

_LINK = re.compile(r'(\]\()([^)\s#]+)(#[^)\s]*)?(?=[)\s])')
_WHOLE_PAGE = re.compile(r'```\{include\} (\S+)\n```\s*')


def included_pages(docs: Path = DOCS) -> dict[Path, Path]:
    """The files of the repository that are pages, and the pages that include them."""
    pages = {}
    for page in sorted(docs.rglob('*.md')):
        match = _WHOLE_PAGE.fullmatch(page.read_text(encoding='utf-8'))
        if match:
            pages[(page.parent / match[1]).resolve()] = page
    return pages


def site_links(text: str, folder: Path, pages: dict[Path, Path], docs: Path = DOCS) -> str:
    """Make the relative links of a Markdown text absolute on the site.

    Args:
        text: Markdown.
        folder: Where the file lies that holds it.
        pages: See ``included_pages``.
        docs: The folder of the site's sources, ``/`` in a link of the result.

    Returns:
        The text. Links to other sites, to a place of the same page and to files that do not
        exist are unchanged.
    """

    def changed(match: re.Match) -> str:
        if '://' in match[2] or match[2].startswith(('/', 'mailto:')):
            return match[0]
        target = (folder / match[2]).resolve()
        if not target.is_file():
            return match[0]
        path = os.path.relpath(pages.get(target, target), docs)
        return f'{match[1]}/{path}{match[3] or ""}'

    return _LINK.sub(changed, text)


def setup(app) -> dict:
    pages = included_pages()

    def read_source(app, docname: str, source: list[str]) -> None:
        path = Path(app.env.doc2path(docname))
        if path.suffix == '.md':
            source[0] = site_links(source[0], path.parent, pages)

    def read_included(app, path: Path, parent: str, text: list[str]) -> None:
        text[0] = site_links(text[0], (DOCS / path).resolve().parent, pages)

    app.connect('source-read', read_source)
    app.connect('include-read', read_included)
    return dict(version='1', parallel_read_safe=True, parallel_write_safe=True)
