"""Stopping a long stage at a good moment: the first signal asks, the second one ends it at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What asks for a stop, as far as the system knows it and nobody has it ignored (nohup ignores SIGHUP)."""


class Stop:
    """Whether somebody has asked for a stop."""

    def __init__(self) -> None:
        self.requested = False

    def __call__(self) -> bool:
        """Whether it was asked for."""
        return self.requested


@contextlib.contextmanager
def stop_on_signal(tell: Callable[[str], None]) -> Iterator[Stop]:
    """Within the block the first of `SIGNALS` only sets `Stop`, and `tell` says so; the next one is Ctrl-C.

    Outside the main thread, which alone gets signals, nobody asks.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def asked(number: int, frame: object) -> None:
        del number, frame
        if stop.requested:
            raise KeyboardInterrupt
        stop.requested = True
        # The signal may have come in the middle of a line of output, which cannot be entered twice.
        with contextlib.suppress(RuntimeError):
            tell("stopping after this batch; once more stops at once")

    before = {number: signal.getsignal(number) for number in SIGNALS}
    caught = {number for number, handler in before.items() if handler is not signal.SIG_IGN}
    try:
        for number in caught:
            signal.signal(number, asked)
        yield stop
    finally:
        for number in caught:
            signal.signal(number, before[number])
