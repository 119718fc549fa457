"""A build that is killed at any moment goes on when it is run again, and gives the same bytes."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from atlas.cli import main
from tests.support.disturb import count_calls
from tests.support.kills import assert_goes_on, kill, moments
from tests.support.projects import TEXT, Project, copied, different, tree, unbuilt_copy

KILLS = 50
"""Seeded moments at which a build is killed: one in each fiftieth of it."""

STRACED = 12
"""System calls at which strace kills: one in each twelfth of a build. ATLAS_STRACE=all takes every one."""

TRACED_CALLS = "fsync,sync,rename,renameat,renameat2"
"""What makes files durable or visible."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="signals and forks as on Unix"),
    pytest.mark.usefixtures("layout_without_threads"),
]


@pytest.fixture(scope="module")
def calls(first: Project, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    """System calls on files of an undisturbed second build."""
    return moments(copied(first, tmp_path_factory.mktemp("count") / "work"), count_calls)


@pytest.mark.parametrize("number", range(KILLS))
def test_at_a_random_moment(
    number: int,
    calls: list[tuple[object, ...]],
    project: Project,
    second: dict[str, bytes],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The second build into a folder: until it is complete, the site is the first one's."""
    assert len(calls) > 200
    before = tree(project.site)
    place = int(len(calls) * (number + random.Random(number).random()) / KILLS)  # noqa: S311 - test data
    kill(project, count_calls, calls[place])
    assert main(["check", str(project.site)]) == 0, "the previous site, or the new one"
    assert different(tree(project.site), before) == [] or place > 0.8 * len(calls)
    assert_goes_on(project, second, capfd)


def test_after_a_random_time_of_a_first_build(
    unbuilt: Project, first: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever moment the clock picks, again and again."""
    unbuilt.text = TEXT
    times = random.Random(5)  # noqa: S311 - seeded test data
    kills = 0
    for _ in range(6):
        child = os.fork()
        if child == 0:
            try:
                unbuilt.build()
            finally:
                os._exit(0)
        time.sleep(times.uniform(0.02, 0.4))
        os.kill(child, signal.SIGKILL)
        kills += os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert kills
    assert_goes_on(unbuilt, first.result(), capfd)


@pytest.mark.usefixtures("kernel_syncs")
class TestStrace:
    """The kernel's own kill, on entering a system call, whoever makes it: Python, Arrow or torch."""

    @pytest.fixture
    def strace(self) -> str:
        found = shutil.which("strace")
        if found is None or not traced(found, "trace=none", lambda: 0)[1]:
            # Not `requirements.missing`: a container may forbid it, and the tests above need nothing.
            pytest.skip("no strace that may trace")
        return found

    def test_at_fsyncs_and_renames(
        self, strace: str, first: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        wanted = first.result()
        count = tmp_path / "count"
        project = unbuilt_copy(first, tmp_path / "whole")
        status, _ = traced(strace, f"trace={TRACED_CALLS}", project.build, "-o", str(count))
        assert status == 0
        assert different(project.result(), wanted) == []
        names = re.findall(r"(\w+)\(", count.read_text())
        assert len(names) > 100
        places = [int(len(names) * (n + random.Random(n).random()) / STRACED) for n in range(STRACED)]  # noqa: S311
        for place in range(len(names)) if os.environ.get("ATLAS_STRACE") == "all" else places:
            project = unbuilt_copy(first, tmp_path / f"work-{place}")
            # strace counts the calls of each name for themselves.
            nth = names[: place + 1].count(names[place])
            rule = f"inject={names[place]}:signal=KILL:when={nth}"
            status, _ = traced(strace, rule, project.build, "-o", os.devnull)
            assert os.WIFSIGNALED(status), place
            assert os.WTERMSIG(status) == signal.SIGKILL
            assert_goes_on(project, wanted, capfd)
            shutil.rmtree(project.folder)


def traced(strace: str, rule: str, run: Callable[[], int], *options: str) -> tuple[int, bool]:
    """(status of a fork that runs `run` under strace, whether strace could attach to it)."""
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.close(go)
            os.read(ready, 1)
            code = run()
        finally:
            os._exit(code)
    os.close(ready)
    words = [strace, "-f", "-p", str(child), "-e", rule, *options]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        attached = "attached" in tracer.stderr.readline()
        os.close(go)
        status = os.waitpid(child, 0)[1]
        tracer.stderr.read()
    return status, attached
