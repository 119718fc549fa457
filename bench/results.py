"""What the benchmarks share: the machine in words, verdicts, and the sections of bench/RESULTS.md."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"


def machine() -> str:
    """Processor, cores in use and memory, in words."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    name = models[0] if models else platform.machine()
    return f"{name}, {cores} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def versions(libraries: tuple[str, ...]) -> str:
    """Each library with its version, in words."""
    return ", ".join(f"{name} {version(name)}" for name in libraries)


def verdict(value: float, goal: float, *, least: bool = False, digits: int = 0) -> str:
    """The goal and whether it is met: `value` must not be over it (with `least` not under it)."""
    met = value >= goal if least else value <= goal
    return f"{'≥' if least else '≤'} {goal:,.{digits}f}: {'met' if met else '**missed**'}"


def write_section(text: str) -> None:
    """Replace the section of RESULTS.md that has the title of `text`, keeping the others."""
    title = text.splitlines()[0]
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else "# Results\n"
    head, _, rest = old.partition(title)
    after = rest.partition("\n## ")[2]
    RESULTS.write_text(head.rstrip() + "\n\n" + text + (f"\n## {after}" if after else ""), encoding="utf-8")
