"""Floor, pass and peak memory, measured: CPU and wall seconds, and where they go."""

from __future__ import annotations

import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from bench.workload import Workload


@dataclass(frozen=True)
class Cost:
    """What something took."""

    cpu: float
    """Seconds of all threads together."""
    wall: float
    """Seconds on the clock."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.cpu + other.cpu, self.wall + other.wall)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.cpu - other.cpu, self.wall - other.wall)


@dataclass(frozen=True)
class Built:
    """One pass of the product."""

    reading: Cost
    """Corpus read, every statistic updated."""
    writing: Cost
    """Statistics finished, tables written."""
    losses: Cost
    """The model's loss with and without the SAE, on a fixed number of tokens, if it was wanted."""
    state_bytes: float
    """Per feature, what the statistics remember beyond the examples they keep."""
    sample_bytes: float
    """Per feature, what those remember that have columns and examples: a sample of tokens."""
    l0: float
    """Events per counted token."""

    @property
    def whole(self) -> Cost:
        """Everything the stage does but the losses."""
        return self.reading + self.writing


class Clock:
    """CPU and wall seconds since it was made."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def __call__(self) -> Cost:
        """What it took so far."""
        return Cost(time.process_time() - self._cpu, time.perf_counter() - self._wall)


def run_floor(work: Workload, rows_at_once: int | None = None) -> Cost:
    """Forward to the hook and encode everything, `rows_at_once` tokens at a time (None: a whole batch)."""
    import torch

    hook, (bias, W_enc) = work.shape.hook_name, work.plain
    batches = torch.from_numpy(work.token_ids.astype("int64")).split(work.shape.batch_contexts)
    clock = Clock()
    with torch.inference_mode():
        for token_ids in batches:
            inputs = work.engine.activations(token_ids, [hook])[hook].flatten(0, 1)
            for part in inputs.split(rows_at_once or len(inputs)):
                torch.addmm(bias, part, W_enc).relu_()
    return clock()


def cheapest_rows(work: Workload) -> int | None:
    """How many tokens the floor encodes at once: as many as make it fastest on the first batch."""
    few = replace(work, token_ids=work.token_ids[: work.shape.batch_contexts])
    choices = (None, 8 * work.shape.context_size, 2 * work.shape.context_size, work.shape.context_size)
    run_floor(few)
    cost = {rows: min(run_floor(few, rows).cpu for _ in range(2)) for rows in choices}
    return min(choices, key=lambda rows: cost[rows])


def run_pass(
    work: Workload, after_batch: Callable[[], None] = lambda: None, *, losses: bool = False
) -> Built:
    """The product's own stage, from an opened model to written tables, with the model's losses if wanted."""
    from atlas.store import AtlasStore
    from atlas.stream import run
    from atlas.stream.sae_pass import SaePass
    from bench.workload import RowsAsDocuments

    read = extra = Cost(0.0, 0.0)
    passes: dict[int, SaePass] = {}
    update, measure = SaePass.update, run.measure_losses

    def progress(done: int, total: int) -> None:
        nonlocal read
        del done, total
        read = clock()
        after_batch()

    def remember(self: SaePass, *args: Any) -> None:
        passes[id(self)] = self
        update(self, *args)

    def measured(*args: Any) -> Any:
        nonlocal extra
        own = Clock()
        found = measure(*args)
        extra = own()
        return found

    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(SaePass, "update", remember),
        patch.object(run, "measure_losses", measured),
    ):
        store = AtlasStore.create(Path(folder) / "data")
        corpus = RowsAsDocuments(work.token_ids)
        with store.lock():
            clock = Clock()
            config = work.config(losses=losses)
            run.stream_activations(store, config, work.engine, [work.sae], corpus, progress)
            all_of_it = clock()
    (last,) = passes.values()
    written = all_of_it - read - extra
    return Built(read, written, extra, *state_bytes(last), events(last) / last.totals.n_tokens)


def state_bytes(sae_pass: Any) -> tuple[float, float]:
    """Bytes of state per feature: of the statistics with columns alone, and of those with examples too."""
    from atlas.stats.base import Statistic

    plain = sampled = 0
    for member in sae_pass.statistics.members.values():
        size = sum(array.nbytes for array in member.state().values())
        if type(member).selections is Statistic.selections:
            plain += size
        elif member.columns:
            sampled += size
    n_features = sae_pass.statistics.shape.n_features
    return plain / n_features, sampled / n_features


def events(sae_pass: Any) -> int:
    """(token, feature) pairs counted."""
    return int(sae_pass.statistics.members["activation_density"].state()["tokens"].sum())


@contextmanager
def timed(owners: Mapping[str, tuple[object, str]]) -> Iterator[dict[str, float]]:
    """CPU seconds spent within (owner, attribute) of every name while the block runs, inner ones apart."""
    spent: dict[str, float] = defaultdict(float)
    open_calls: list[float] = []

    def wrapped(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timing(*args: Any, **kwargs: Any) -> Any:
            open_calls.append(0.0)
            begun = time.process_time()
            try:
                return call(*args, **kwargs)
            finally:
                lasted = time.process_time() - begun
                spent[name] += lasted - open_calls.pop()
                if open_calls:
                    open_calls[-1] += lasted

        return timing

    patches = [
        patch.object(owner, attribute, wrapped(name, getattr(owner, attribute)))
        for name, (owner, attribute) in owners.items()
    ]
    for one in patches:
        one.start()
    try:
        yield spent
    finally:
        for one in patches:
            one.stop()


def profile(work: Workload) -> dict[str, float]:
    """Where the pass spends its CPU time: part → share of forward and encode together."""
    from atlas.plugins import available, load
    from atlas.stream import sae_pass
    from atlas.stream.statistics import GROUP, StatisticSet

    reading: dict[str, float] = {}
    owners: dict[str, tuple[object, str]] = {
        "forward": (work.engine, "activations"),
        "encode": (sae_pass.SaePass, "_events"),
        "finding events": (sae_pass, "events_of"),
        "ordering events": (sae_pass, "by_feature"),
        "reconstruction": (sae_pass.SaePass, "_measure"),
        "what statistics share": (StatisticSet, "update"),
        **{f"statistic {name}": (load(GROUP, name), "update") for name in available(GROUP)},
    }
    with timed(owners) as spent:
        # Only what belongs to the reading: later stages call some of these too.
        built = run_pass(work, lambda: reading.update(spent), losses=True)
    floor = reading.pop("forward") + reading.pop("encode")
    reading["packing, keeping contexts, the rest"] = built.reading.cpu - floor - sum(reading.values())
    reading["finish and tables"] = built.writing.cpu
    loss_tokens = work.config().stream.loss_tokens
    reading[f"losses, on the first {loss_tokens:,} tokens however many there are"] = built.losses.cpu
    return {name: seconds / floor for name, seconds in sorted(reading.items(), key=lambda item: -item[1])}


def peak_memory() -> int:
    """The largest resident memory of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():
        # A new process takes over its parent's ru_maxrss, but not this.
        lines = status.read_text(encoding="ascii").splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
