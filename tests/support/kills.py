"""Killing a build at a chosen moment, and what must be true of the next one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.support.disturb import in_child, kill_self
from tests.support.projects import Project, different

Watch = Callable[[pytest.MonkeyPatch, Callable[..., None]], None]
"""Calls its second argument at every moment of a kind, with what tells the moments apart."""


def moments(project: Project, watch: Watch) -> list[tuple[object, ...]]:
    """All moments of an undisturbed build of `project`."""
    found: list[tuple[object, ...]] = []
    with pytest.MonkeyPatch.context() as patch:
        watch(patch, lambda *moment: found.append(moment))
        assert project.build() == 0
    return found


def kill(project: Project, watch: Watch, when: tuple[object, ...]) -> None:
    """Build in a fork of this process that dies at the moment `when`."""

    def run() -> int:
        with pytest.MonkeyPatch.context() as patch:
            watch(patch, lambda *moment: kill_self() if moment == when else None)
            return project.build()

    status = in_child(run)
    assert os.WIFSIGNALED(status), (when, status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def assert_goes_on(project: Project, wanted: dict[str, bytes], capfd: pytest.CaptureFixture[str]) -> None:
    """The next build of a killed one completes it, and leaves nothing else behind."""
    capfd.readouterr()
    assert project.build() == 0
    assert "damaged" not in capfd.readouterr().err, "a kill leaves a whole commit or none"
    assert different(project.result(), wanted) == []
    assert sorted(path.name for path in (project.folder / "build").iterdir()) == ["data", "site"]
