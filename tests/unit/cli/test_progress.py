"""Progress: honest about the time left, plain where nobody watches, quiet where it would flood."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import TextColumn

from atlas.cli.progress import (
    LINE_EVERY,
    Eta,
    PlainProgress,
    TerminalProgress,
    duration,
    figures,
    make_progress,
    remaining,
)


class Clock:
    """A clock that goes when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_time_left_is_what_is_left_at_the_measured_speed():
    clock = Clock()
    eta = Eta(clock)
    assert eta.update(0, 1000) is None
    clock.now += 10
    assert eta.update(250, 1000) == pytest.approx(30)
    clock.now += 10
    assert eta.update(1000, 1000) == 0


def test_units_of_an_earlier_run_do_not_count_as_speed():
    # 900 of 1000 were done before; this run does 10 in 10 s, so the 90 left take 90 s, not 1 s.
    clock = Clock()
    eta = Eta(clock)
    eta.update(900, 1000)
    clock.now += 10
    assert eta.update(910, 1000) == pytest.approx(90)


def test_no_promise_before_anything_was_measured():
    clock = Clock()
    eta = Eta(clock)
    eta.update(0, 10)
    clock.now += 0.5
    assert eta.update(5, 10) is None
    clock.now += 100
    assert Eta(clock).update(5, 10) is None


def test_no_progress_is_no_promise():
    clock = Clock()
    eta = Eta(clock)
    eta.update(5, 10)
    clock.now += 60
    assert eta.update(5, 10) is None


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.floats(1, 10**6))
def test_the_estimate_is_exact_at_constant_speed(before, units, seconds):
    clock = Clock()
    eta = Eta(clock)
    total = before + 3 * units
    eta.update(before, total)
    clock.now += seconds
    assert eta.update(before + units, total) == pytest.approx(2 * seconds, rel=1e-6)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.44, "0.4 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min"), (61, "1 min 1 s"),
     (3599.7, "1 h"), (7830, "2 h 10 min"), (90000000, "25,000 h")],
)  # fmt: skip
def test_durations_in_words(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.1, "1 s"), (17.6, "18 s"), (43, "45 s"), (119, "2 min"), (200, "3 min"), (5000, "1 h 20 min")],
)
def test_time_left_is_rounded_as_an_estimate_should_be(seconds, text):
    assert remaining(seconds) == f"about {text} left"


@given(st.floats(0, 10**7))
def test_rounding_keeps_the_time_left_within_a_fifth(seconds):
    words = re.findall(r"([\d,]+) (h|min|s)", remaining(seconds))
    back = sum(int(n.replace(",", "")) * {"h": 3600, "min": 60, "s": 1}[unit] for n, unit in words)
    assert back == pytest.approx(seconds, rel=0.26, abs=1)


def test_figures_say_amount_and_time():
    assert figures(1200, 10000, "tokens", 43.0) == "1,200 of 10,000 tokens, about 45 s left"
    assert figures(1200, 10000, "tokens", None) == "1,200 of 10,000 tokens"
    assert figures(10, 10, "pages", 0.0) == "10 of 10 pages"
    assert figures(3, 8, "steps", 9.0, "alpha: umap") == "3 of 8 steps, about 9 s left (alpha: umap)"
    assert figures(8, 8, "steps", 0.0, "done") == "8 of 8 steps"


def test_a_long_log_stays_short(capsys):
    clock = Clock()
    progress = PlainProgress(clock)
    progress.begin("Reading", "tokens")
    for done in range(21601):
        progress.update(done, 21600)
        clock.now += 1
    lines = capsys.readouterr().err.splitlines()
    assert 100 < len(lines) < 200


def test_plain_lines_are_few_and_plain(capsys):
    clock = Clock()
    progress = PlainProgress(clock)
    progress.begin("Reading the corpus", "tokens")
    for done in range(0, 1001, 10):
        progress.update(done, 1000)
        clock.now += 0.2
    progress.end("1,000 tokens of 3 documents")
    progress.note("stopping after this batch")
    progress.skip("Enriching features", "nothing changed")
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == ""
    assert "\x1b" not in captured.err
    assert "\r" not in captured.err
    assert lines[0] == "Reading the corpus …"
    assert lines[1].startswith("  250 of 1,000 tokens, about 15 s left")
    assert len(lines) <= 4 + 101 * 0.2 / LINE_EVERY
    assert lines[-3:] == [
        "  1,000 tokens of 3 documents (20 s)",
        "  stopping after this batch",
        "Enriching features: nothing changed",
    ]


def test_a_terminal_gets_one_finished_line_per_stage():
    out = io.StringIO()
    console = Console(file=out, width=100, color_system=None, force_terminal=True)
    clock = Clock()
    columns = (TextColumn("{task.description}", markup=False), TextColumn("{task.fields[figures]}"))
    with Bars(*columns, console=console, transient=True, auto_refresh=False) as bars:
        progress = TerminalProgress(bars, clock)
        progress.begin("Reading [red]x[/red]", "tokens")
        progress.update(0, 10)
        clock.now += 5
        progress.update(5, 10)
        bars.refresh()
        live = out.getvalue()
        progress.end("10 tokens")
        progress.skip("Enriching features", "nothing changed")
    assert "Reading [red]x[/red] 5 of 10 tokens, about 5 s left" in live
    assert "✓ Reading [red]x[/red]  10 tokens · 5 s" in out.getvalue()
    assert "· Enriching features  nothing changed" in out.getvalue()


def interrupt_while_reading(console):
    with Bars(TextColumn("{task.description}"), console=console, transient=True) as bars:
        TerminalProgress(bars).begin("Reading", "tokens")
        raise KeyboardInterrupt


def test_an_interrupted_stage_leaves_the_terminal_usable():
    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        interrupt_while_reading(Console(file=out, width=80, color_system=None, force_terminal=True))
    # The cursor was hidden for the bar and is shown again.
    assert out.getvalue().rfind("\x1b[?25h") > out.getvalue().rfind("\x1b[?25l")


def test_a_pipe_gets_plain_lines(capsys):
    with make_progress() as progress:
        assert isinstance(progress, PlainProgress)
    assert capsys.readouterr().err == ""
