"""One walk through the pages of a site: steps that each use a control and prove what it did."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.walk import held
from tests.walk.hands import Hand, Keys, Mouse

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.support.browser import Record, Visit, Visitor
    from tests.walk.facts import Facts
    from tests.walk.use import Use

PATIENCE = 60_000
"""Milliseconds until a step has failed: a table of 131,072 features on a busy machine takes many."""

HANDS: dict[str, Callable[[Page], Hand]] = {"mouse": Mouse, "keyboard": Keys}


@dataclass(frozen=True)
class Step:
    """One thing that was done and proved."""

    name: str
    seconds: float
    problem: str
    """What was wrong; '' where all was well."""


@dataclass
class Walk:
    """A reader in a fresh browser, who goes on until a journey ends."""

    visitor: Visitor
    root: str
    """Address of the site, with a slash at its end."""
    facts: Facts
    by: str
    """`mouse` or `keyboard`."""
    use: Use
    steps: list[Step] = field(default_factory=list[Step])
    _visit: Visit | None = None

    @property
    def page(self) -> Page:
        """The page that is open."""
        assert self._visit is not None
        return self._visit.page

    @property
    def record(self) -> Record:
        """Everything the walk's browser did so far."""
        assert self._visit is not None
        return self._visit.record

    @property
    def hand(self) -> Hand:
        """What uses the page."""
        return HANDS[self.by](self.page)

    @property
    def served(self) -> bool:
        """Whether the site comes from a host."""
        return self.root.startswith("http")

    def open(self, path: str, ready: str = "", **options: Any) -> Page:
        """Open a page of the site in the walk's browser, and wait for `ready`."""
        if self._visit is None:
            self._visit = self.visitor(permissions=["clipboard-read", "clipboard-write"], **options)
            self.use.watch(self._visit.page.context)
            self._visit.page.context.add_init_script(held.SCRIPT)
            self._visit.page.context.set_default_timeout(PATIENCE)
        page = self._visit.open(self.root + path)
        if ready:
            page.wait_for_selector(f"{ready}[data-ready]", state="attached")
        return page

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step called `name`: it is timed, and what goes wrong in it is noted."""
        start, problem = time.perf_counter(), ""
        try:
            yield
            self.use.look(self.page)
        except Exception as error:  # noqa: BLE001 - the next steps still tell something
            problem = told(error)
        self.steps.append(Step(name, time.perf_counter() - start, problem))

    def finish(self) -> None:
        """Note everything that went wrong beside the steps: console, policy, requests."""
        problems = [] if self._visit is None else self._visit.record.problems(self.root)
        self.steps.append(Step("quiet: console, policy, network", 0.0, "; ".join(problems[:5])))

    def find(self, selector: str) -> Locator:
        """The first element of a selector."""
        return self.page.locator(selector).first

    def button(self, name: str, within: str = "body", *, exact: bool = False) -> Locator:
        """The first button called `name` in an element."""
        return self.page.locator(within).get_by_role("button", name=name, exact=exact).first

    def returns(self, ready: str) -> None:
        """Go back to the page before, and wait for `ready`."""
        self.page.go_back()
        self.page.wait_for_selector(f"{ready}[data-ready]", state="attached")

    def says(self, name: str, value: str | None) -> None:
        """Wait until the address says `value` of `name`; None: nothing."""
        self.page.wait_for_function(
            "([name, value]) => new URLSearchParams(location.search).get(name) === value", arg=[name, value]
        )

    def said(self, name: str) -> str:
        """What the address says of `name`; '' if nothing."""
        return parse_qs(urlsplit(self.page.url).query).get(name, [""])[0]

    def leads(self, pattern: str) -> None:
        """Wait until the address ends as `pattern` (a regular expression) says."""
        self.page.wait_for_url(re.compile(f"{pattern}$"))

    def copied(self) -> str:
        """What is on the clipboard."""
        return self.page.evaluate("navigator.clipboard.readText()")

    def copies(self, part: str) -> None:
        """Wait until `part` is in what is on the clipboard."""
        end = time.monotonic() + PATIENCE / 1000
        while part not in self.copied():
            assert time.monotonic() < end, f"{part!r} is not copied"
            self.page.wait_for_timeout(20)

    def saved(self, control: Locator) -> tuple[str, str]:
        """Use a control that saves a file: its name and its text."""
        with self.page.expect_download() as caught:
            self.hand.press(control)
        return caught.value.suggested_filename, caught.value.path().read_text(encoding="utf-8")


def sorted_by(heading: Locator, values: Sequence[float]) -> None:
    """The rows below `heading` are in the order that it says; `values` are theirs, NaN for none."""
    way = heading.get_attribute("aria-sort")
    assert way != "none"
    known = [value for value in values if value == value]  # noqa: PLR0124 - NaN alone differs from itself
    assert known == sorted(known, reverse=way != "ascending")


def told(error: Exception) -> str:
    """An error in a few words, with the line of the walk where it came up."""
    frames = traceback.extract_tb(error.__traceback__)
    place = [frame for frame in frames if "/walk/" in frame.filename][-1]
    where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
    return f"{type(error).__name__} at {where} ({place.line}): {error}"


@dataclass(frozen=True)
class Journey:
    """Steps on one kind of page."""

    name: str
    go: Callable[[Walk], None]
    needs: Callable[[Facts], bool]
    """Whether a site has what the journey uses."""
    hosted: bool
    """Whether it is only for sites that come from a host."""


JOURNEYS: list[Journey] = []
"""Every journey, in the order of the list of things a site must do."""


def journey(
    name: str, needs: Callable[[Facts], bool] = lambda facts: True, *, hosted: bool = False
) -> Callable[[Callable[[Walk], None]], Callable[[Walk], None]]:
    """Register a function as the journey called `name`."""

    def register(go: Callable[[Walk], None]) -> Callable[[Walk], None]:
        JOURNEYS.append(Journey(name, go, needs, hosted))
        return go

    return register


def walk(made: Journey, visitor: Visitor, root: str, facts: Facts, by: str, use: Use) -> list[Step]:
    """Go on one journey, and return its steps."""
    walked = Walk(visitor, root, facts, by, use)
    try:
        made.go(walked)
    except Exception as error:  # noqa: BLE001 - told like any other step
        walked.steps.append(Step("open the page", 0.0, told(error)))
    walked.finish()
    return walked.steps
