"""What one HTML page of a site says: ids, links, and everything that the site's own rules forbid.

A tokenizer for pages that our templates wrote, not a general HTML parser: it takes one regular expression
per tag, so that sixteen thousand pages are a matter of seconds. It errs on the strict side: text that looks
like a tag (an unescaped `<`) counts as one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"""<([a-zA-Z][^\s/>]*+)((?:[^"'>]++|"[^"]*+"|'[^']*+')*+)(>?)""")
_ATTRIBUTE = re.compile(r"""([^\s"'>/=]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++)))?""")
_WORTH_PARSING = re.compile(
    r"[\s\"'](?:id|name|href|src|srcset|style|action|formaction|poster|data|on[a-z]+)\s*=", re.IGNORECASE
)
_ALWAYS = frozenset({"html", "meta", "script", "style", "base", "title"})
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_OUTSIDE_LINKS = ("http:", "https:", "mailto:", "doi:")

_LOADS = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "track": ("src",),
    "input": ("src",),
}
"""Element → attributes whose target a browser loads by itself."""


@dataclass
class Page:
    """The facts of one page that other pages or the whole site depend on."""

    ids: frozenset[str] = frozenset()
    """Every id and anchor name: where fragments may point."""
    links: list[str] = field(default_factory=list[str])
    """Targets that must exist in the site, relative to the page, as written (unescaped)."""
    build: str = ""
    """The page's data-build."""
    problems: list[str] = field(default_factory=list[str])
    """What the page does that no page of a site may do, without the page's name."""


def scan_page(text: str) -> Page:
    """The facts of the page `text`. Linear in its length, for any text."""
    scan = _Scan()
    body = _COMMENT.sub("", text) if "<!--" in text else text
    if not text.lstrip().lower().startswith("<!doctype html>"):
        scan.problem("does not begin with <!doctype html>")
    for match in _TAG.finditer(body):
        name, attributes = match.group(1).lower(), match.group(2)
        if not match.group(3):
            # To a browser the rest of the page is inside this tag; going on would also take quadratic time.
            scan.problem(f"has a <{name[:20]}> tag that never ends")
            break
        if name in _ALWAYS or _WORTH_PARSING.search(attributes):
            scan.tag(name, _parse_attributes(attributes), body, match.end())
    return scan.finish()


def _parse_attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(text):
        found.setdefault(name.lower(), unescape(double or single or bare))
    return found


class _Scan:
    """The page so far."""

    def __init__(self) -> None:
        self._page = Page()
        self._ids: set[str] = set()
        self._policy = self._title = False

    def problem(self, text: str) -> None:
        self._page.problems.append(text)

    def tag(self, name: str, attributes: dict[str, str], body: str, end: int) -> None:
        """Take in one start tag; `end` is where its content begins in `body`."""
        self._take_id(name, attributes)
        if name == "html":
            self._page.build = attributes.get("data-build", "")
            if not attributes.get("lang"):
                self.problem("<html> has no lang")
        elif name == "title":
            self._title = self._title or not body.startswith("</", end)
        elif name == "meta":
            self._take_meta(attributes)
        elif name == "base":
            self.problem("has a <base>, which moves every link")
        elif name in {"a", "area"}:
            self._take_link(attributes)
        self._take_loads(name, attributes)
        self._take_inline(name, attributes, body, end)

    def finish(self) -> Page:
        if not self._policy:
            self.problem("has no Content-Security-Policy")
        if not self._title:
            self.problem("has no title")
        self._page.ids = frozenset(self._ids)
        return self._page

    def _take_id(self, name: str, attributes: dict[str, str]) -> None:
        key = attributes.get("id")
        if key is not None:
            if key in self._ids:
                self.problem(f"has the id {key!r} twice")
            self._ids.add(key)
        if name == "a" and "name" in attributes:
            self._ids.add(attributes["name"])

    def _take_meta(self, attributes: dict[str, str]) -> None:
        kind = attributes.get("http-equiv", "").lower()
        if kind == "content-security-policy":
            self._policy = True
            self._page.problems += [
                f"its policy {text}" for text in policy_problems(attributes.get("content", ""))
            ]
        elif kind == "refresh":
            self.problem("redirects by itself")

    def _take_link(self, attributes: dict[str, str]) -> None:
        target = attributes.get("href")
        if target is None:
            return
        if _SCHEME.match(target):
            if not target.lower().startswith(_OUTSIDE_LINKS):
                self.problem(f"links to {target[:80]!r}")
        elif target.startswith(("//", "\\")):
            self.problem(f"links to the foreign host {target[:80]!r}")
        else:
            self._page.links.append(target)

    def _take_loads(self, name: str, attributes: dict[str, str]) -> None:
        if name == "link" and attributes.get("rel", "").lower() in {
            "canonical",
            "alternate",
            "author",
            "license",
        }:
            return
        for key in _LOADS.get(name, ()):
            value = attributes.get(key)
            if value is None:
                continue
            targets = (
                [part.split()[0] for part in value.split(",") if part.split()] if key == "srcset" else [value]
            )
            for target in targets:
                self._take_load(name, target)

    def _take_load(self, name: str, target: str) -> None:
        if target.startswith("data:") and name in {"img", "source", "link"}:
            return
        if _SCHEME.match(target) or target.startswith(("//", "\\")):
            self.problem(f"loads {target[:80]!r} from outside the site")
        else:
            if not self._policy and name in {"script", "link"}:
                self.problem(f"loads {target[:80]!r} before its Content-Security-Policy")
            self._page.links.append(target)

    def _take_inline(self, name: str, attributes: dict[str, str], body: str, end: int) -> None:
        inline = [key for key in attributes if key == "style" or key.startswith("on")]
        if inline:
            self.problem(f"<{name}> carries inline code or style ({', '.join(inline)})")
        if name == "style" or (name == "script" and not body.startswith("</script>", end)):
            self.problem(f"has an inline <{name}>")
        if name == "form" and _SCHEME.match(attributes.get("action", "")):
            self.problem(f"sends a form to {attributes['action'][:80]!r}")


def policy_problems(policy: str) -> list[str]:
    """What in a Content-Security-Policy would let a page reach out of its site or run inline code."""
    rules: dict[str, list[str]] = {}
    for part in policy.split(";"):
        words = part.split()
        if words:
            rules.setdefault(words[0].lower(), words[1:])
    problems = [] if rules.get("default-src") == ["'none'"] else ["does not begin with default-src 'none'"]
    for name, values in rules.items():
        for value in values:
            if value in {"'unsafe-inline'", "'unsafe-eval'", "*"}:
                problems.append(f"allows {value} for {name}")
            elif not (value.startswith("'") or value in {"data:", "blob:"}):
                problems.append(f"allows the outside source {value!r} for {name}")
    return problems
