"""Measures the pass against its floor, and against SAEDashboard. Writes its section of bench/RESULTS.md.

    make bench        (python bench/pass.py; with --quick for a look that writes nothing)
    python bench/pass.py --peer peer_sae_dashboard.py --peer-python peer-env/bin/python

Floor: the forward pass to the hook and one encode of the whole SAE (addmm, ReLU) over the same
batches, nothing kept. Pass: the product's reading with every installed statistic. Both alternate
in one process; CPU seconds are the figure, for they do not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.measure import cheapest_rows, peak_memory, profile, run_floor, run_pass  # noqa: E402
from bench.peer import Peer, against_peer  # noqa: E402
from bench.results import machine, verdict, versions, write_section  # noqa: E402

if TYPE_CHECKING:
    from bench.measure import Built, Cost
    from bench.workload import Workload

GOALS = {"gpt2": 1.05, "small": 1.20}
"""CPU time of the pass over that of its floor, at most."""
LINEAR, FLAT, STATE = 10.5, 1.05, 2048
"""Ten times the tokens: time and memory, at most so many times. State bytes per feature beyond the
examples, at most."""

LIBRARIES = ("feature-atlas", "torch", "transformers", "sae-lens", "pyarrow", "numpy")
QUICK = {"small": 16_384, "gpt2": 8_192}
"""Tokens of a quick look."""


def child(folder: Path, tokens: int, threads: int) -> dict[str, float]:
    """One pass over `tokens` in a process of its own: CPU seconds and peak memory in bytes."""
    command = [sys.executable, __file__, "--child", str(folder), "--tokens", str(tokens)]
    command += ["--threads", str(threads)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def as_child(folder: Path, tokens: int) -> None:
    """What `child` runs: prints one line of JSON."""
    from bench.workload import load

    built = run_pass(load(folder, tokens))
    print(json.dumps({"cpu": built.whole.cpu, "peak": peak_memory(), **asdict(built)}))


def ratios(work: Workload, rounds: int) -> tuple[list[Cost], list[Built]]:
    """Floor and pass, alternating `rounds` times."""
    rows = cheapest_rows(work)
    pairs = [(run_floor(work, rows), run_pass(work)) for _ in range(rounds)]
    return [floor for floor, _ in pairs], [built for _, built in pairs]


def in_shape(name: str, folder: Path, tokens: int | None, rounds: int) -> str:
    """Rows of the table for one shape, and its profile."""
    from bench.workload import SHAPES, load, make

    make(folder, SHAPES[name])
    work = load(folder, tokens)
    floors, passes = ratios(work, rounds)
    pairs = list(zip(floors, passes, strict=True))
    n = work.token_ids.size
    cpu = median([built.reading.cpu / floor.cpu for floor, built in pairs])
    whole = median([built.whole.cpu / floor.cpu for floor, built in pairs])
    wall = median([built.reading.wall / floor.wall for floor, built in pairs])
    seconds = median([floor.cpu for floor in floors])
    each = ", ".join(f"{built.reading.cpu / floor.cpu:.3f}" for floor, built in pairs)
    speed = median([n / built.reading.wall for built in passes])
    last = passes[-1]
    state = verdict(last.state_bytes, STATE)
    shares = "\n".join(f"| {part} | {share:.2%} |" for part, share in profile(work).items())
    return f"""### {work.shape.name}; {n:,} tokens, mean L0 {last.l0:.1f}

| figure | value | goal |
|---|---|---|
| floor, CPU seconds ({1e6 * seconds / n:,.0f} µs a token) | {seconds:.1f} | |
| pass / floor, CPU, median of {rounds} ({each}) | {cpu:.3f} | {verdict(cpu, GOALS[name], digits=2)} |
| … finish and tables included | {whole:.3f} | |
| pass / floor, wall | {wall:.3f} | |
| tokens a second, wall | {speed:,.0f} | |
| state beyond the examples, bytes per feature | {last.state_bytes:,.0f} | {state} |
| … the token sample of co-activation and counter-examples | {last.sample_bytes:,.0f} | |

| where the rest goes | share of forward and encode, CPU |
|---|---|
{shares}
"""


def growth(folder: Path, tokens: int, rounds: int, threads: int) -> str:
    """Rows of the table on ten times the tokens; the workload in `folder` must have as many."""
    few = [child(folder, tokens, threads) for _ in range(rounds)]
    many = child(folder, 10 * tokens, threads)
    longer = many["cpu"] / median([one["cpu"] for one in few])
    larger = many["peak"] / median([one["peak"] for one in few])
    return f"""### Ten times the tokens ({tokens:,} → {10 * tokens:,}, 4 layers x d 256, a process each)

| figure | value | goal |
|---|---|---|
| CPU time, times | {longer:.2f} | {verdict(longer, LINEAR, digits=1)} |
| peak memory, times ({few[-1]["peak"] / 2**20:,.0f} → {many["peak"] / 2**20:,.0f} MiB) | {larger:.3f} | {
        verdict(larger, FLAT, digits=2)
    } |
"""


def report(options: argparse.Namespace) -> str:
    """Measure everything; the section of RESULTS.md."""
    import torch

    torch.set_num_threads(options.threads)
    rounds = 1 if options.quick else options.rounds
    parts: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        for shape in options.shapes:
            folder = Path(name) / shape
            folder.mkdir()
            parts.append(in_shape(shape, folder, QUICK[shape] if options.quick else None, rounds))
        parts.append(_growth(Path(name), options, rounds))
        peer = Peer(options.peer, options.peer_python, options.peer_features) if options.peer else None
        tokens = QUICK["small"] if options.quick else 32_768
        parts.append(against_peer(peer, Path(name) / "peer", tokens, rounds, options.threads))
    return f"""## The pass (`bench/pass.py`)

{machine()}. {versions(LIBRARIES)}. {options.threads} thread(s), everything in float32 on the CPU.

The floor encodes with one product over as many tokens as suit it best; the pass cuts features too, and so
may spend less on encoding than its floor. One more run, with the model's losses, says where the rest goes.

{chr(10).join(parts)}"""


def _growth(folder: Path, options: argparse.Namespace, rounds: int) -> str:
    """`growth` over a workload of its own, whose tokens reach for ten times as many."""
    from bench.workload import SMALL, make

    tokens = QUICK["small"] if options.quick else SMALL.tokens
    folder /= "growth"
    folder.mkdir()
    make(folder, replace(SMALL, tokens=10 * tokens))
    return growth(folder, tokens, rounds, options.threads)


def main() -> None:
    """Measure; write RESULTS.md unless it was a quick look."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few tokens, one round; writes nothing")
    parser.add_argument("--rounds", type=int, default=3, help="alternating runs, 3 unless given")
    parser.add_argument("--threads", type=int, default=1, help="torch threads of everything measured")
    parser.add_argument("--shapes", nargs="+", choices=sorted(GOALS), default=sorted(GOALS, reverse=True))
    parser.add_argument("--peer", type=Path, help="SAEDashboard's script")
    parser.add_argument("--peer-python", default=sys.executable, help="Python of its environment")
    parser.add_argument(
        "--peer-features", type=int, default=512, help="features to give it, 512 unless given"
    )
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--tokens", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    if options.child:
        as_child(options.child, options.tokens)
        return
    text = report(options)
    print(text)
    if not options.quick and len(options.shapes) == len(GOALS):
        write_section(text)


if __name__ == "__main__":
    main()
