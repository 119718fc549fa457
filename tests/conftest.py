"""Fixtures and rules for every test: offline, few threads, the same random numbers every time.

The environment is set here, before any test module imports a library that reads it at import.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support import requirements
from tests.support.web import StaticHost, serve_folder

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.browser import Visitor

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "WANDB_MODE": "disabled",
    "DO_NOT_TRACK": "1",
}
"""No library may look for its hub."""

QUIET = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "COLUMNS": "100",
    "NO_COLOR": "1",
}
"""One thread each: tests run side by side, and sums then have one order. Terminal output of one width."""

KERNEL_FSYNC = os.fsync

os.environ.update(OFFLINE)
os.environ.update(QUIET)
if "ATLAS_TESTS_HF_HOME" not in os.environ:
    # A test must never find a model or data set that someone once downloaded. Workers inherit the folder.
    os.environ["ATLAS_TESTS_HF_HOME"] = tempfile.mkdtemp(prefix="atlas-tests-")
    atexit.register(shutil.rmtree, os.environ["ATLAS_TESTS_HF_HOME"], ignore_errors=True)
os.environ["HF_HOME"] = os.environ["ATLAS_TESTS_HF_HOME"]
for _name in ("FORCE_COLOR", "SOURCE_DATE_EPOCH"):
    os.environ.pop(_name, None)

settings.register_profile(
    "atlas",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("thorough", parent=settings.get_profile("atlas"), max_examples=2000)
settings.load_profile(os.environ.get("ATLAS_HYPOTHESIS", "atlas"))


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers (strict: an undeclared one is an error)."""
    config.addinivalue_line(
        "markers", "slow: takes more than about ten seconds, and is started before the rest"
    )
    config.addinivalue_line("markers", "root: needs root or a user namespace (mounts, other users)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first (with `--no-loadscope-reorder`): a worker that meets one last is waited for."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_disks() -> Iterator[None]:
    """Syncing returns at once; a handle that is none is still an error.

    What a sync does shows after a power cut only, so no test can see it: tests see that it is called, in
    which order, and what follows where it fails. On a common disk it is most of a small build's time.
    """
    patch = pytest.MonkeyPatch()
    patch.setattr(os, "fsync", _sync_nothing)
    yield
    patch.undo()


def _sync_nothing(handle: int) -> None:
    os.fstat(handle)


@pytest.fixture
def kernel_syncs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Syncing is the system call again, for tests that look at those."""
    monkeypatch.setattr(os, "fsync", KERNEL_FSYNC)


@pytest.fixture(scope="session", autouse=True)
def no_internet() -> Iterator[None]:
    """Any connection of this process to another machine is an error that names the address."""
    original = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _loopback(str(host)):
            raise OSError(f"a test tried to connect to {address!r}; tests are offline")
        original(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", connect)
    yield
    patch.undo()


def _loopback(host: str) -> bool:
    return host in {"localhost", "::1", ""} or host.startswith("127.")


@pytest.fixture(scope="session")
def root() -> Path:
    """Root of the checkout."""
    return requirements.ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Real models, corpora and hostile strings (`../shared`, or `ATLAS_SHARED`)."""
    folder = requirements.shared_folder()
    if folder is None:
        requirements.missing("no folder ../shared with real test data", fix="set ATLAS_SHARED to its path")
    return folder


@pytest.fixture(scope="session")
def demo_dir(root: Path) -> Path:
    """The bundled model and SAEs: `model`, `sae-l2`, `sae-l3`."""
    return root / "atlas" / "demo"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One headless Chromium per worker, cut off from the network."""
    from playwright.sync_api import sync_playwright

    from tests.support.browser import browser_present, launched

    with sync_playwright() as playwright:
        if not browser_present(playwright):
            requirements.missing("no Chromium", fix="run `make browser`")
        with launched(playwright) as browser:
            yield browser


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visitor]:
    """`visit()` gives a page in a fresh context, everything it does recorded (`tests.support.browser`)."""
    from tests.support.browser import Visitor

    visitor = Visitor(chromium)
    yield visitor
    visitor.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., StaticHost]]:
    """`serve(folder, base="/some/base/")` serves the folder until the test ends."""
    with contextlib.ExitStack() as stack:

        def start(folder: Path, base: str = "/some/base/") -> StaticHost:
            return stack.enter_context(serve_folder(folder, base))

        yield start


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Let Ctrl-C mean what it means in a terminal, before any fixture of a test is made.

    A shell has the jobs it starts in the background ignore it, and sae-lens' trainer leaves a handler of its
    own behind: so would every build that a test interrupts.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
