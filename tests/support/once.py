"""What is dear to make is made once in a run of the suite, by the first worker that needs it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder as `make(folder)` left it, the same for all workers of the run: nobody changes it.

    `name` says all that it depends on. Workers that want it while it is made wait; whatever a failed
    `make` left behind is removed, and the next one tries anew.
    """
    top = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        top = top.parent
    place, done = top / "once" / name, top / "once" / f"{name}.done"
    place.parent.mkdir(exist_ok=True)
    with (top / "once" / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            make(place)
            done.touch()
    return place
