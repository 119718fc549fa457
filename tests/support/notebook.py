"""Cards of a notebook: their HTML parsed and held to what a card may hold."""

from __future__ import annotations

from html.parser import HTMLParser

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</div></table><iframe srcdoc='<script>1</script>'>",
    "&lt;b&gt; &amp; &",
    "javascript:alert(1)",
    "\x1b[31mred\x1b]0;title\x07",
    "\u202eright to left\u202c",
    "nul\x00 carriage\r newline\n tab\t",
    "'; DROP TABLE features; --",
    "{{ 7*7 }} {% raw %} ${7*7} <%= 7*7 %>",
    'style="background:url(http://example.org)"',
    "\ufeffbom\u200bzero",
    "日本語 🤗 ÷ עברית",
    "",
]
ELEMENTS = {"div", "h3", "p", "em", "table", "tr", "th", "td", "small", "bdi"}


class Parsed(HTMLParser):
    """Elements, attributes and text of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl!r}")


def check_card(html: str) -> Parsed:
    """`html` parsed; fails unless it holds only the elements and attributes of cards."""
    parsed = Parsed(html)
    assert set(parsed.elements) <= ELEMENTS
    assert {name for name, _ in parsed.attributes} <= {"style"}
    assert parsed.open == []
    assert all("url" not in (value or "") for _, value in parsed.attributes)
    return parsed
