"""The rules of axe-core, run in a page as it stands."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from tests.support.requirements import ROOT, missing

if TYPE_CHECKING:
    from playwright.sync_api import Page

SOURCE = ROOT / "themes/default/node_modules/axe-core/axe.min.js"

RUN = """async () => {
  const { violations, incomplete, passes } = await axe.run(document, { preload: false });
  const told = (results) => results.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, any, all, none }) => [id, help, target.join(" "),
      ...[...any, ...all, ...none].map(({ message }) => message)].join(": ")));
  return { violations: told(violations), incomplete: told(incomplete), passes: passes.map(({ id }) => id) };
}"""


@cache
def source() -> str:
    """The text of axe-core; skips (under CI fails) where the theme's packages are not installed."""
    if not SOURCE.is_file():
        missing("axe-core is not installed", fix="cd themes/default && npm ci")
    return SOURCE.read_text(encoding="utf-8")


def results(page: Page) -> dict[str, Any]:
    """`violations` and `incomplete` as one line per element, `passes` as names of rules that found no fault.

    The policy of the pages forbids a script element; what the debugger evaluates is not subject to it.
    """
    text = source()
    if not page.evaluate("'axe' in window"):
        page.evaluate(f"() => {{ {text} }}")
    return page.evaluate(RUN)


def violations(page: Page) -> list[str]:
    """One line per element that breaks a rule; `[]` for a page without fault."""
    return list(results(page)["violations"])
