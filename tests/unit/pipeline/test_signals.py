"""The first signal asks, the second one stops; what was there before comes back."""

from __future__ import annotations

import signal
import threading

import pytest

from atlas.pipeline.signals import SIGNALS, Stop, stop_on_signal


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_only_asks(number: signal.Signals):
    told: list[str] = []
    with stop_on_signal(told.append) as stop:
        assert not stop()
        signal.raise_signal(number)
        assert stop()
        assert told == ["stopping after this batch; once more stops at once"]


def test_the_second_one_is_ctrl_c_and_any_two_will_do():
    with stop_on_signal(lambda text: None) as stop:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert stop.requested


def test_the_handlers_from_before_come_back():
    before = [signal.getsignal(number) for number in SIGNALS]
    with stop_on_signal(lambda text: None):
        assert signal.getsignal(signal.SIGINT) != before[0]
    with pytest.raises(ZeroDivisionError), stop_on_signal(lambda text: None):
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_signal_that_is_ignored_stays_so():
    """As under nohup, and for the children of a shell that runs them in the background."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signal(lambda text: None) as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_in_the_middle_of_a_line_is_not_lost():
    def in_the_middle(text: str) -> None:
        raise RuntimeError("reentrant call inside <_io.BufferedWriter>")

    with stop_on_signal(in_the_middle) as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop()


def test_outside_the_main_thread_nobody_asks():
    found: list[Stop] = []

    def work() -> None:
        with stop_on_signal(lambda text: None) as stop:
            found.append(stop)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not found[0]()
