"""Read a page with the standard library's parser, refusing tags that are not closed in order."""

from collections import defaultdict
from html.parser import HTMLParser

_VOID = {"meta", "link", "input", "br", "img"}


class ParsedPage(HTMLParser):
    """What the tests look at.

    Attributes:
        tags: Every start tag with its attributes, in order.
        text: The text inside each element that has an id, each section ("section matches") and the "header"; "" is the
            whole page. Styles and scripts are left out.
        raw: The text of each `style` and `script` element.
        headings: The level of each heading, in order.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = defaultdict(str)
        self.raw: dict[str, list[str]] = defaultdict(list)
        self.headings: list[int] = []
        self._open: list[tuple[str, str | None]] = []
        self.feed(html)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in {tag}: {names}"
        self.tags.append((tag, dict(attrs)))
        if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self.headings.append(int(tag[1]))
        if tag in ("td", "th"):
            self.handle_data(" ")
        if tag not in _VOID:
            self._open.append((tag, _name(tag, dict(attrs))))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._open.pop()
        assert opened == tag, f"</{tag}> closes <{opened}>"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] in ("style", "script"):
            self.raw[self._open[-1][0]].append(data)
            return
        for name in {"", *(name for _, name in self._open if name)}:
            self.text[name] += data

    @property
    def ids(self) -> list[str]:
        """Every id on the page, repeated where it is repeated."""
        return [attrs["id"] or "" for _, attrs in self.tags if "id" in attrs]


def _name(tag: str, attributes: dict[str, str | None]) -> str | None:
    if tag == "header":
        return tag
    if tag == "section" and "aria-labelledby" in attributes:
        return f"section {attributes['aria-labelledby']}"
    return attributes.get("id")


SECTIONS = [
    *("matches", "verdicts", "training", "kinds", "failures", "memory", "novel", "discussion"),
    *("wrong", "fixed", "settings", "time", "notes"),
]
