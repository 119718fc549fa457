"""Ending a build at a chosen moment: by a signal, or by killing the fork that runs it."""

from __future__ import annotations

import hashlib
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from atlas.cli import progress

PATIENCE = 600
"""Seconds after which a forked build counts as hung."""


def at_moment(monkeypatch: pytest.MonkeyPatch, stage: str, act: Callable[[], None], nth: int = 1) -> None:
    """Call `act` when the stage whose title starts with `stage` tells of its `nth` progress."""
    title = ""
    begin, update = progress.PlainProgress.begin, progress.PlainProgress.update
    told = 0

    def told_begin(self: progress.PlainProgress, name: str, unit: str) -> None:
        nonlocal title
        title = name
        begin(self, name, unit)

    def told_update(self: progress.PlainProgress, count: int, total: int, step: str = "") -> None:
        nonlocal told
        if title.startswith(stage):
            told += 1
            if told == nth:
                act()
        update(self, count, total, step)

    monkeypatch.setattr(progress.PlainProgress, "begin", told_begin)
    monkeypatch.setattr(progress.PlainProgress, "update", told_update)


def interrupted(*arguments: object, **options: object) -> None:
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


BOUNDARIES = ("fsync", "sync", "rename", "replace")
"""System calls that make files whole, durable or visible."""


def at_boundaries(patch: pytest.MonkeyPatch, act: Callable[[int, str, str], None]) -> None:
    """Call `act` with a running number, a name, and 'before' or 'after', around every one of `BOUNDARIES`.

    The site's switch, which Python has no call for, is one of them.
    """
    from atlas.render import output

    calls = 0

    def watched(original: Callable[..., object], name: str) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            nonlocal calls
            calls += 1
            number = calls
            act(number, name, "before")
            result = original(*arguments, **options)
            act(number, name, "after")
            return result

        return call

    for name in BOUNDARIES:
        patch.setattr(os, name, watched(getattr(os, name), name))
    patch.setattr(output, "_exchange", watched(output._exchange, "exchange"))


def kill_self() -> None:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


_RANDOM_NAME = re.compile(r"\.atlas-[0-9a-f]{16}\.tmp|(?<=\.partial/)(?:contexts-)?[0-9a-f]{16}")


def state_of(folder: Path) -> str:
    """A hash of everything below `folder`; equal for states that differ in random names only."""
    found = hashlib.sha256()
    entries = []
    for path in folder.rglob("*"):
        name = _RANDOM_NAME.sub("random", path.relative_to(folder).as_posix())
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        entries.append(f"{name} {content}\n" if path.suffix != ".lock" and path.name != ".lock" else "")
    for entry in sorted(entries):
        found.update(entry.encode())
    return found.hexdigest()


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
