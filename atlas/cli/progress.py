"""How far a long command is: a bar on a terminal, plain lines everywhere else, always on standard error."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from atlas.cli.console import safe, say

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from atlas.pipeline import Progress

LINE_EVERY, LINE_SHARE = 5.0, 0.05
"""Between two plain lines of one stage: at least so many seconds, and that share of the time since its start
(a log of six hours then has about a hundred and fifty lines)."""

ETA_AFTER = 1.0
"""Seconds of measured work before a remaining time is shown: earlier it would be a guess."""


class Eta:
    """Seconds left, from the units finished in this run alone.

    Units that an earlier run finished are there at the first call of `update` and cost nothing now;
    counting them would promise an end far too early. `clock` gives seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, int] | None = None

    def update(self, done: int, total: int) -> float | None:
        """Take in the state of the work; returns the seconds left, or None while that is not known."""
        now = self._clock()
        if self._first is None:
            self._first = (now, done)
            return None
        start, before = self._first
        seconds, units = now - start, done - before
        if seconds < ETA_AFTER or units <= 0:
            return None
        return max(total - done, 0) * seconds / units


def duration(seconds: float) -> str:
    """`seconds` for people: '0.4 s', '12 s', '3 min 5 s', '2 h 10 min'."""
    tenths = round(seconds, 1)
    if tenths < 10:  # noqa: PLR2004  a decimal is worth showing on one digit
        return f"{tenths:.1f}".removesuffix(".0") + " s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (0 if hours else rest, "s"))
    return " ".join(f"{amount:,} {unit}" for amount, unit in parts if amount)


COARSE = ((20, 1), (120, 5), (3600, 60), (float("inf"), 600))
"""How a remaining time is rounded: up to so many seconds, to a multiple of so many."""


def remaining(seconds: float) -> str:
    """The time left in words, rounded coarsely: it is an estimate."""
    step = next(step for limit, step in COARSE if seconds <= limit)
    return f"about {duration(max(round(seconds / step), 1) * step)} left"


def figures(done: int, total: int, unit: str, seconds_left: float | None, step: str = "") -> str:
    """One stage's state in words: amount, time left, what comes next."""
    parts = [f"{done:,} of {total:,} {unit}"]
    if seconds_left is not None and done < total:
        parts.append(remaining(seconds_left))
    return ", ".join(parts) + (f" ({safe(step)})" if step and done < total else "")


class PlainProgress:
    """For files and pipes: no colours, no cursor movement, at most one line every `LINE_EVERY` seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._unit = ""
        self._start = 0.0
        self._last_line = 0.0
        self._eta = Eta(clock)

    def begin(self, title: str, unit: str) -> None:
        """Name the stage."""
        self._unit, self._eta = unit, Eta(self._clock)
        self._start = self._last_line = self._clock()
        say(f"{title} …")

    def update(self, done: int, total: int, step: str = "") -> None:
        """Say how far it is, if the last line is old enough."""
        left = self._eta.update(done, total)
        now = self._clock()
        if now - self._last_line >= max(LINE_EVERY, LINE_SHARE * (now - self._start)):
            self._last_line = now
            say(f"  {figures(done, total, self._unit, left, step)}")

    def end(self, outcome: str) -> None:
        """Say what came of it and how long it took."""
        say(f"  {outcome} ({duration(self._clock() - self._start)})")

    def skip(self, title: str, reason: str) -> None:
        """Say why it is not needed."""
        say(f"{title}: {reason}")

    def note(self, text: str) -> None:
        """Say it at once."""
        say(f"  {text}")


class TerminalProgress:
    """For terminals: one live line for the stage that runs, one finished line for each that is over."""

    def __init__(self, bars: RichProgress, clock: Callable[[], float] = time.monotonic) -> None:
        self._bars = bars
        self._clock = clock
        self._task: TaskID | None = None
        self._title = self._unit = ""
        self._start = 0.0
        self._eta = Eta(clock)

    def begin(self, title: str, unit: str) -> None:
        """Show the stage with a bar that moves without a number until the first one is known."""
        self._title, self._unit, self._eta, self._start = title, unit, Eta(self._clock), self._clock()
        self._task = self._bars.add_task(safe(title), total=None, figures="")

    def update(self, done: int, total: int, step: str = "") -> None:
        """Move the bar."""
        text = figures(done, total, self._unit, self._eta.update(done, total), step)
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=max(total, 1), figures=text)

    def end(self, outcome: str) -> None:
        """Replace the bar by a finished line."""
        self._close()
        self._line("✓", "green", self._title, f"{outcome} · {duration(self._clock() - self._start)}")

    def skip(self, title: str, reason: str) -> None:
        """Print a line for a stage that is not needed."""
        self._line("·", "dim", title, reason)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._line("!", "yellow", text, "")

    def _close(self) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None

    def _line(self, mark: str, style: str, title: str, text: str) -> None:
        from rich.text import Text

        line = Text.assemble((f"{mark} ", style), safe(title), (f"  {safe(text)}", "dim"))
        self._bars.console.print(line, soft_wrap=True)


@contextlib.contextmanager
def make_progress() -> Generator[Progress]:
    """The progress that fits standard error, alive for the block."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield PlainProgress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[figures]}", style="dim", markup=False),
    )
    # Results go to standard output by themselves: the bar must not carry them to standard error.
    with Bars(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as bars:
        yield TerminalProgress(bars)
