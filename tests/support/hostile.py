"""Strings that try to run, to hide or to break out, and what pages must show of them."""

from __future__ import annotations

import json
from pathlib import Path

from atlas.text import badges, display_text

PROBE = "probe()"
OWN = (
    "<script>probe()</script>",
    "</script><script>probe()</script>",
    "</ScRiPt ><sCrIpT>probe()</sCrIpT>",
    "<img src=x onerror=probe()>",
    "<svg onload=probe()>",
    '"><img src=x onerror="probe()">',
    "'><img src=x onerror='probe()'>",
    "</title><img src=x onerror=probe()>",
    "</textarea><img src=x onerror=probe()>",
    "</style><script>probe()</script>",
    "<iframe srcdoc='<script>parent.probe()</script>'></iframe>",
    "<details open ontoggle=probe()>x</details>",
    "<input autofocus onfocus=probe()>",
    "<body onload=probe()>",
    "<video><source onerror=probe()></video>",
    "<object data='javascript:probe()'></object>",
    "<a href='javascript:probe()' autofocus onfocus=probe()>x</a>",
    "<math><mtext><img src=x onerror=probe()></mtext></math>",
    "<template><script>probe()</script></template><img src=x onerror=probe()>",
    "--><script>probe()</script><!--",
    "]]><script>probe()</script>",
    "{{ 7 * 7 }}{% raw %}",
    "${7*7}`${probe()}`",
    '\\");probe();//',
    '");probe();//',
    "javascript:probe()",
    "<form name=body><input name=innerHTML></form>",
    "<a id=document></a><a id=loadShard></a>",
    "<base href=//example.invalid/>",
    "<meta http-equiv=refresh content='0;url=//example.invalid'>",
    "<link rel=stylesheet href=//example.invalid/x.css>",
    "\u202eexe.txt",
    "zero\u200bwidth\u200djoiner\ufeff",
    "tag\U000e0041\U000e0042",
    "\x00\x01\x1b[31mred\x7f",
    "line\u2028separator\u2029",
    "a\tb\r\nc",
    "&lt;not&gt; &amp;amp; &#x3c;",
    "שלום \u202bعربي\u202c abc",
    "🏳️\u200d🌈 e\u0301 ﷽",
)
"""Our own strings; those with `probe()` call it if any of them ever runs."""

LONG = (
    "W" * 3000,
    "<" * 2000,
    "&lt;" * 500,
    "word " * 800,
    "a\u0301" * 800,
    "\u202e" * 300,
    "🏳️\u200d🌈" * 200,
    "/" * 1500,
    "﷽" * 200,
    "[" * 3000,
)
"""Strings without end; without a place to break, most of them."""

FAMILIES: dict[str, list[str]] = json.loads(
    Path(__file__).with_name("hostile_strings.json").read_text(encoding="ascii")
)
"""Kind of trouble → strings of that kind, lone surrogates among them."""

CORPUS = tuple(dict.fromkeys([*OWN, *(text for family in FAMILIES.values() for text in family), *LONG]))
"""More than five hundred distinct strings that try to run, to hide, to break out or to break something."""

COUNTER = "window.probed = 0; window.probe = () => { window.probed += 1; };"
"""Runs before every page's own scripts: counts how often hostile code ran."""


def strings(shared: Path) -> list[str]:
    """Every hostile string: the big list's half and our own, as text that UTF-8 can carry, no empty one."""
    listed = json.loads((shared / "data/nasty/blns_even.json").read_text(encoding="utf-8"))
    texts = dict.fromkeys([*OWN, *listed])
    return [text.encode("utf-8", "replace").decode() for text in texts if text.strip()]


def visible(text: str) -> str:
    """What a page shows of `text`: the display policy, with badges for what cannot be seen."""
    return "".join(part if kind == "badge" else display_text(part) for kind, part in badges(text))
