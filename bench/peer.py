"""SAEDashboard on inputs of its own, for comparison: its script and its environment are not part of this."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.measure import Cost, run_floor, run_pass
from bench.results import verdict

GOAL = 40.0
"""How many times faster the pass shall be, at least."""


@dataclass(frozen=True)
class Peer:
    """How to run SAEDashboard."""

    script: Path
    """peer_sae_dashboard.py."""
    python: str
    """The interpreter of its own environment."""
    features: int
    """Features to give it; its time is extrapolated from them."""

    def __call__(self, *arguments: str, threads: int) -> dict[str, Any]:
        """Run the script; the last line it printed, from JSON."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment["OMP_NUM_THREADS"] = str(threads)
        done = subprocess.run(
            [self.python, str(self.script), *arguments],
            check=True, capture_output=True, text=True, env=environment,
        )  # fmt: skip
        return json.loads(done.stdout.splitlines()[-1])


def against_peer(peer: Peer | None, folder: Path, tokens: int, rounds: int, threads: int) -> str:
    """The table that compares with SAEDashboard, on inputs that its script made."""
    title = "### SAEDashboard 0.8.0 (NeuronpediaRunner), a whole SAE of 4,096 features"
    if peer is None:
        return (
            f"{title}\n\nNot run: give `--peer` its script and `--peer-python` an environment that has it.\n"
        )
    from bench.workload import load_peer

    context = 128
    prompts = tokens // context
    peer("make", "--out", str(folder), "--n-prompts", str(prompts), "--n-ctx", str(context), threads=threads)
    work = load_peer(folder)
    sizes = [peer.features // 4, peer.features]
    theirs: dict[int, list[Cost]] = {size: [] for size in sizes}
    found: dict[str, list[Cost]] = {"floor": [], "pass": [], "whole": []}
    for _ in range(rounds):
        for size in sizes:
            options = ("--features", str(size), "--prompts", str(prompts))
            record = peer("peer", "--inputs", str(folder), *options, threads=threads)
            theirs[record["features_done"]].append(Cost(record["peer"]["cpu_s"], record["peer"]["wall_s"]))
        found["floor"].append(run_floor(work, context))
        built = run_pass(work)
        found["pass"].append(built.reading)
        found["whole"].append(built.whole)
    costs = {name: middle(cost) for name, cost in found.items()}
    return peer_table(f"{title}, {work.token_ids.size:,} tokens", work.shape.d_sae, costs, theirs)


def peer_table(title: str, d_sae: int, ours: Mapping[str, Cost], theirs: Mapping[int, list[Cost]]) -> str:
    """The comparison as Markdown; `theirs` holds the costs for two numbers of features."""
    costs = {size: middle(found) for size, found in theirs.items()}
    all_of_it = Cost(
        extrapolated({size: cost.cpu for size, cost in costs.items()}, d_sae),
        extrapolated({size: cost.wall for size, cost in costs.items()}, d_sae),
    )
    rows = [(f"SAEDashboard, {size:,} features", cost) for size, cost in sorted(costs.items())]
    rows.append((f"… all {d_sae:,}, on the line through both", all_of_it))
    rows.append(("floor", ours["floor"]))
    rows.append((f"ours, the pass, all {d_sae:,}", ours["pass"]))
    rows.append(("… finish and tables included", ours["whole"]))
    lines = [f"| {name} | {cost.cpu:,.1f} | {cost.wall:,.1f} | |" for name, cost in rows]
    for name, cost in (("the pass", ours["pass"]), ("all of ours", ours["whole"])):
        cpu, wall = all_of_it.cpu / cost.cpu, all_of_it.wall / cost.wall
        lines.append(
            f"| SAEDashboard / {name}, times | {cpu:.1f} | {wall:.1f} | {verdict(cpu, GOAL, least=True)} |"
        )
    table = "\n".join(lines)
    return f"""{title}, inputs of its script

| | CPU seconds | wall seconds | goal |
|---|---|---|---|
{table}
"""


def middle(costs: list[Cost]) -> Cost:
    """The median of CPU and of wall seconds, each for itself."""
    return Cost(median([cost.cpu for cost in costs]), median([cost.wall for cost in costs]))


def extrapolated(seconds: Mapping[int, float], features: int) -> float:
    """Seconds for `features`, on the straight line through the smallest and the largest measured number."""
    (few, short), *_, (many, long) = sorted(seconds.items())
    return long + (long - short) / (many - few) * (features - many)
