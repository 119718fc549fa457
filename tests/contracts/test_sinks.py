"""Nothing in our sources can turn text of a corpus into code or markup."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support import tree

MARKUP = {
    "unescaped template output": r"\|\s*safe\b|\bMarkup\(|autoescape\s*(=\s*False|false)"
    r"|\bunsafe(HTML|SVG|CSS|Static)\b",
    "markup from a string": r"\b(inner|outer)HTML\b|\binsertAdjacentHTML\b|\bdocument\.write(ln)?\b"
    r"|\bsetHTMLUnsafe\b|\bcreateContextualFragment\b|\bDOMParser\b|\bsrcdoc\b",
    "code from a string": r"\beval\(|\bnew Function\b|\bset(Timeout|Interval)\(\s*['\"`]|javascript:",
    "a request past the one transport": r"\bfetch\(|\bXMLHttpRequest\b|\bWebSocket\b|\bEventSource\b"
    r"|\bsendBeacon\b",
}
"""What front-end sources must not hold → why, as a regular expression."""

TEMPLATE = {
    "inline script": r"<script(?![^>]*\bsrc=)[^>]*>",
    "inline style": r"<style\b|\sstyle\s*=",
    "inline handler": r"\son[a-z]+\s*=",
    "an address on another host": r"(src|href|action)\s*=\s*[\"']?\s*(https?:)?//(?!\{)",
}
"""What templates must not hold (the policy of every page would block it)."""

AUDITED = {
    # Where data text becomes markup: escaped pieces and literals only.
    "atlas/render/strips.py": "unescaped template output",
    # The service worker, there at a reader's wish: it passes on requests for the site's own files.
    "themes/default/src/entries/sw.ts": "a request past the one transport",
    # Names the ways to ask the network, to take them out of the model's worker.
    "themes/default/build.mjs": "a request past the one transport",
}
"""File → its one kind of sink. Few files, read closely; keep it so."""

PYTHON_CALLS = {"eval", "exec", "compile", "__import__"}
PYTHON_ATTRIBUTES = {
    "pickle.load", "pickle.loads", "joblib.load", "marshal.load", "marshal.loads", "yaml.load",
    "yaml.unsafe_load", "os.system", "os.popen", "shelve.open",
}  # fmt: skip


def sinks(text: str, patterns: dict[str, str]) -> list[str]:
    """`line N: reason` for every match of `patterns` in `text`."""
    found: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        found += [f"line {number}: {why}" for why, pattern in patterns.items() if re.search(pattern, line)]
    return found


def python_sinks(source: str) -> list[str]:
    """`line N: call` for every call in `source` that runs data as code."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        named = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if called in PYTHON_CALLS or called in PYTHON_ATTRIBUTES:
            found.append(f"line {node.lineno}: {called}")
        if called == "torch.load" and named.get("weights_only") != "True":
            found.append(f"line {node.lineno}: torch.load without weights_only=True")
        if called in {"np.load", "numpy.load"} and named.get("allow_pickle", "False") != "False":
            found.append(f"line {node.lineno}: numpy.load with allow_pickle")
        if named.get("shell") == "True":
            found.append(f"line {node.lineno}: a shell")
        if named.get("trust_remote_code") == "True":
            found.append(f"line {node.lineno}: trust_remote_code")
    return found


FRONT = tree.files("themes", "atlas/render", suffixes=(".ts", ".html", ".mjs", ".py", ".j2", ".xml"))
TEMPLATES = [path for path in FRONT if path.suffix in {".html", ".j2"}]


@pytest.mark.parametrize("path", [p for p in FRONT if "test" not in p.parts], ids=tree.name)
def test_front_end_sources_hold_no_sink(path):
    found = sinks(path.read_text(encoding="utf-8"), MARKUP)
    if tree.name(path) in AUDITED:
        assert {line.split(": ")[1] for line in found} == {AUDITED[tree.name(path)]}
    else:
        assert found == []


@pytest.mark.parametrize("path", TEMPLATES, ids=tree.name)
def test_templates_hold_nothing_inline_and_nothing_foreign(path):
    assert sinks(path.read_text(encoding="utf-8"), TEMPLATE) == []


@pytest.mark.parametrize("path", tree.python_files(), ids=tree.name)
def test_python_sources_run_no_data(path):
    assert python_sinks(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", tree.files("themes", suffixes=(".css",)), ids=tree.name)
def test_styles_load_nothing(path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"@import|url\((?!\s*['\"]?data:)|expression\(|@font-face", text) == []


def test_audited_files_exist():
    names = {tree.name(path) for path in FRONT}
    assert set(AUDITED) <= names


class TestTheTests:
    """Each pattern sees what it is there for."""

    @pytest.mark.parametrize(
        "line",
        [
            "{{ text | safe }}", "{{ text|safe }}", "Markup(text)", "Environment(autoescape=False)",
            "{% autoescape false %}", "el.innerHTML = x", "el.outerHTML = x", "document.write(x)",
            "el.insertAdjacentHTML('beforeend', x)", "html`${unsafeHTML(x)}`", "eval(x)", "new Function('x')",
            "setTimeout('run()', 1)", "<a href='javascript:x'>", "fetch('/x')", "new DOMParser()",
        ],
    )  # fmt: skip
    def test_markup_sinks_are_seen(self, line: str):
        assert sinks(line, MARKUP) != []

    @pytest.mark.parametrize(
        "line",
        [
            "<script>x</script>", "<script type='module'>", "<p style='color:red'>", "<style>",
            "<p onclick='x'>", '<link href="https://example.org/x.css">', "<img src=//example.org/x.png>",
        ],
    )  # fmt: skip
    def test_template_sinks_are_seen(self, line: str):
        assert sinks(line, TEMPLATE) != []

    @pytest.mark.parametrize(
        "line",
        [
            '<script src="{{ root }}assets/site.js" defer></script>',
            '<a href="{{ root }}index.html">',
            "<p>once = 1</p>",
        ],
    )
    def test_ordinary_lines_pass(self, line: str):
        assert sinks(line, TEMPLATE | MARKUP) == []

    @pytest.mark.parametrize(
        "line",
        [
            "eval(x)", "exec(x)", "pickle.loads(x)", "torch.load(p)", "torch.load(p, weights_only=False)",
            "np.load(p, allow_pickle=True)", "subprocess.run(x, shell=True)", "f(trust_remote_code=True)",
        ],
    )  # fmt: skip
    def test_python_sinks_are_seen(self, line: str):
        assert python_sinks(line) != []

    @pytest.mark.parametrize("line", ["re.compile(x)", "torch.load(p, weights_only=True)", "np.load(p)"])
    def test_ordinary_calls_pass(self, line: str):
        assert python_sinks(line) == []
