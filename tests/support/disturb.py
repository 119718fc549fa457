"""Ending a build at a chosen moment: by a signal, or by killing the fork that runs it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from atlas.cli import progress

PATIENCE = 120
"""Seconds after which a forked build counts as hung."""


def at_moment(monkeypatch: pytest.MonkeyPatch, stage: str, act: Callable[[], None]) -> None:
    """Call `act` once when the stage whose title starts with `stage` tells of its first progress."""
    title = ""
    begin, update = progress.PlainProgress.begin, progress.PlainProgress.update
    done = False

    def told_begin(self: progress.PlainProgress, name: str, unit: str) -> None:
        nonlocal title
        title = name
        begin(self, name, unit)

    def told_update(self: progress.PlainProgress, count: int, total: int, step: str = "") -> None:
        nonlocal done
        if title.startswith(stage) and not done:
            done = True
            act()
        update(self, count, total, step)

    monkeypatch.setattr(progress.PlainProgress, "begin", told_begin)
    monkeypatch.setattr(progress.PlainProgress, "update", told_update)


def interrupted(*arguments: object) -> None:
    """Ctrl-C at this very place."""
    signal.raise_signal(signal.SIGINT)


COUNTED = ("open", "write", "fsync", "sync", "rename", "replace", "unlink", "rmdir", "mkdir", "close")
"""System calls between which a build may die."""


def count_calls(patch: pytest.MonkeyPatch, act: Callable[[int], None]) -> None:
    """Call `act` with a running number before every system call of Python code on files."""
    calls = 0

    def counted(original: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            nonlocal calls
            calls += 1
            act(calls)
            return original(*arguments, **options)

        return call

    for name in COUNTED:
        patch.setattr(os, name, counted(getattr(os, name)))


def in_child(run: Callable[[], int]) -> int:
    """Status (as of `os.waitpid`) of a fork of this process that runs `run` and ends with its result."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            # A hang is the worst that may happen: it ends the child, and with it the test.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(PATIENCE)
            code = run()
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]
