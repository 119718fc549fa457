"""Uses every control of a site by mouse and by keyboard, from a host and from its folder, and prints a table.

    python bench/walk.py build/site build/data
    python bench/walk.py build/site build/data --only map --ways mouse:file

DATASET is what SITE was rendered from: it says what the pages must show. The steps are those of `tests/walk`.
A cell is the seconds a step took, or FAILED. Below the table are the reasons, and the controls that a hand
did not use. Exit code 1 where a step failed.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.browser import Visitor, launched  # noqa: E402
from tests.support.web import published  # noqa: E402
from tests.walk.facts import Facts  # noqa: E402
from tests.walk.journeys import JOURNEYS  # noqa: E402
from tests.walk.use import Use  # noqa: E402
from tests.walk.walk import HANDS, Step, walk  # noqa: E402

WAYS = ("mouse:http", "keyboard:http", "mouse:file", "keyboard:file")
"""Hand and place."""

Row = tuple[str, str]
"""Journey and step."""


def walk_site(facts: Facts, ways: list[str], only: str, use: dict[str, Use]) -> dict[Row, dict[str, Step]]:
    """Journey and step → way → how it went, for the journeys whose name matches `only`."""
    from playwright.sync_api import sync_playwright

    found: dict[Row, dict[str, Step]] = {}
    with sync_playwright() as playwright, launched(playwright) as browser:
        for way in ways:
            by, place = way.split(":")
            with published(facts.site, place) as root:
                for made in JOURNEYS:
                    if (
                        not re.search(only, made.name)
                        or not made.needs(facts)
                        or made.hosted > (place == "http")
                    ):
                        continue
                    visitor = Visitor(browser)
                    for step in walk(made, visitor, root, facts, by, use[by]):
                        found.setdefault((made.name, step.name), {})[way] = step
                    visitor.close()
                    print(f"{way} {made.name}", file=sys.stderr)
    return found


def table(found: dict[Row, dict[str, Step]], ways: list[str]) -> list[str]:
    """The steps as lines of a Markdown table."""
    lines = ["| journey | step | " + " | ".join(ways) + " |", "|" + "---|" * (len(ways) + 2)]
    for (journey, name), steps in found.items():
        cells = ["" if way not in steps else cell(steps[way]) for way in ways]
        lines.append(f"| {journey} | {name} | {' | '.join(cells)} |")
    return lines


def cell(step: Step) -> str:
    """A step in a word: its seconds, or that it failed."""
    return "FAILED" if step.problem else f"{step.seconds:.1f}"


def main(arguments: list[str] | None = None) -> int:
    """Walk a site; 1 where any step failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("site", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--only", default="", help="regular expression: journeys whose name matches")
    parser.add_argument("--ways", default=",".join(WAYS), help="hand:place, separated by commas")
    options = parser.parse_args(arguments)
    ways, start = options.ways.split(","), time.perf_counter()
    use = {by: Use(by) for by in HANDS}
    found = walk_site(Facts.read(options.dataset, options.site.resolve()), ways, options.only, use)
    print("\n".join(table(found, ways)))
    failed = [
        (*row, way, step) for row, steps in found.items() for way, step in steps.items() if step.problem
    ]
    for journey, name, way, step in failed:
        print(f"\n{way} {journey}: {name}\n  {step.problem}")
    done = sum(len(steps) for steps in found.values())
    seconds = time.perf_counter() - start
    print(f"\n{done} steps, {len(failed)} failed, {seconds:.0f} s.")
    for by, kinds in use.items():
        print(f"\n{by}: used {len(kinds.used)} kinds of controls of {len(kinds.seen)} shown.")
        for sign in kinds.idle:
            print(f"  not used: {sign}  on {kinds.seen[sign]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
