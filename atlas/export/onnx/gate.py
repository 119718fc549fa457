"""Is the exported model still the model? Measured on real text, feature by feature, against torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from atlas.errors import InputError
from atlas.export.onnx.running import no_steering
from atlas.store.model_graphs import Steering

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from atlas.export.onnx.graphs import SaeGraphs
    from atlas.export.onnx.precision import Precision
    from atlas.export.onnx.running import Runner
    from atlas.sources.engines.base import Engine
    from atlas.sources.engines.edits import Change
    from atlas.sources.packing import PackedContext
    from atlas.sources.saes.base import SparseCoder
    from atlas.stream.batches import Mask

TOP = 20
"""Strongest features of a token that are compared."""

GATE_TOKENS = 4096
"""Tokens of text that are compared at least, in whole contexts, where the corpus has so many."""

BATCH = 2
"""Contexts run at once."""


@dataclass(frozen=True)
class Figures:
    """How well an exported model of one SAE agrees with torch on the same tokens."""

    n_tokens: int
    """Tokens compared: those that the statistics count."""
    top_overlap: float
    """Mean share of each token's 20 strongest features (all, where fewer fire) that both have there."""
    relative_error: float
    """Median of |difference| / reference over the reference's firings."""
    flips: float
    """Features per token that fire in one of the two only."""
    l0: float
    """Features per token that fire in the reference."""
    largest_error: float
    """Largest |difference| / max(1, reference) where both fire: a flip beside a threshold is counted, not
    measured."""
    logits_error: float
    """Largest |difference| / max(1, |reference|) of next-token logits at the contexts' ends, without steering
    and with the token's strongest feature set to twice its value."""
    argmax_agreement: float
    """Share of those predictions whose likeliest token is the same."""

    def words(self) -> str:
        """The figures in one line, for people."""
        return (
            f"top-{TOP} overlap {self.top_overlap:.4f}, median relative error {self.relative_error:.2g},"
            f" {self.flips:.3g} flips per token (L0 {self.l0:.3g}), largest error {self.largest_error:.2g},"
            f" logits {self.logits_error:.2g}, same next token {self.argmax_agreement:.3f}"
            f" ({self.n_tokens:,} tokens)"
        )

    def as_json(self) -> dict[str, float]:
        """The fields of `GatePayload`; errors to two digits, the rest hangs on the machine's rounding."""
        errors = ("relative_error", "largest_error", "logits_error")
        rounded = {name: float(f"{getattr(self, name):.2g}") for name in errors}
        return asdict(self) | rounded


@dataclass(frozen=True)
class Limits:
    """What an export must reach."""

    top_overlap: float
    """Least `Figures.top_overlap`."""
    relative_error: float
    """Largest `Figures.relative_error`."""
    flip_share: float
    """Most `Figures.flips` for one of `Figures.l0`."""
    error: float = np.inf
    """Largest `Figures.largest_error` and `Figures.logits_error`."""

    def missed(self, found: Figures) -> list[str]:
        """What of `found` is out of bounds, a phrase each; a figure that is no number always is."""
        checks = (
            (found.l0 > 0, "no feature fires on the text: nothing was compared"),
            (found.top_overlap >= self.top_overlap, f"top-{TOP} overlap below {self.top_overlap:g}"),
            (found.relative_error <= self.relative_error, f"relative error above {self.relative_error:g}"),
            (found.flips <= self.flip_share * found.l0, f"flips above {self.flip_share:g} of the L0"),
            (found.largest_error <= self.error, f"an activation off by more than {self.error:g}"),
            (found.logits_error <= self.error, f"a logit off by more than {self.error:g}"),
        )
        return [words for fine, words in checks if not fine]


GATES: Mapping[Precision, Limits] = {
    "fp32": Limits(top_overlap=0.999, relative_error=1e-4, flip_share=0.001, error=1e-4),
    "fp16": Limits(top_overlap=0.99, relative_error=0.005, flip_share=0.01),
    "int8": Limits(top_overlap=0.95, relative_error=0.05, flip_share=0.05),
}
"""Precision → what it must reach."""

LARGER: Mapping[str, str] = {"int8": "fp16", "fp16": "fp32"}
"""Precision → the next better one."""


@dataclass(frozen=True, eq=False)
class Sample:
    """The text that exports are compared on."""

    token_ids: NDArray[np.int64]
    """[n_contexts, context_size] whole contexts of the corpus."""
    counted: NDArray[np.bool_]
    """[n_contexts, context_size] tokens that the statistics count."""
    masked: int
    """First positions that steering leaves as they are: 1 where contexts begin with BOS."""


def sample_of(contexts: Iterable[PackedContext], mask: Mask, *, masked: int) -> Sample:
    """The first whole `contexts` with `GATE_TOKENS` counted tokens; of a shorter corpus what there is.

    `InputError` for a corpus without text.
    """
    taken: list[NDArray[np.int32]] = []
    n_counted = 0
    for context in contexts:
        ids = context.token_ids[: context.n_tokens]
        if taken and ids.size < taken[0].size:
            break
        taken.append(ids)
        n_counted += int(mask.counted(ids[None]).sum())
        if n_counted >= GATE_TOKENS:
            break
    if not taken:
        raise InputError("the corpus has no text to compare the exported model on", where="corpus")
    token_ids = np.stack(taken)
    return Sample(token_ids.astype(np.int64), mask.counted(token_ids), masked)


def measure(engine: Engine, sae: SparseCoder, graphs: SaeGraphs, runner: Runner, sample: Sample) -> Figures:
    """Compare `graphs` with `engine` and `sae` on `sample`, `BATCH` contexts at a time."""
    tally = _Tally()
    starts = range(0, len(sample.token_ids), BATCH)
    last: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
    for start in starts:
        ids, counted = sample.token_ids[start : start + BATCH], sample.counted[start : start + BATCH]
        wanted = reference_activations(engine, sae, ids)
        tally.add(runner.activations(graphs, ids)[counted], wanted[counted])
        last.append((ids, wanted[:, -1]))
    directions = sae.weights().W_dec
    for ids, strongest in last:
        for steering in _steerings(graphs, strongest, directions):
            mask = np.ones(ids.shape, np.float32)
            mask[:, : sample.masked] = 0
            found = runner.step(graphs, ids, steering, mask).logits
            tally.add_logits(found, reference_logits(engine, sae, ids, steering, mask))
    return tally.figures()


def refuse_below(precision: Precision, figures: Mapping[str, Figures]) -> None:
    """`InputError` with all `figures` (SAE → figures) unless every SAE reaches the gate of `precision`."""
    missed = {slug: GATES[precision].missed(found) for slug, found in figures.items()}
    if not any(missed.values()):
        return
    reasons = "; ".join(f"{slug}: {', '.join(words)}" for slug, words in missed.items() if words)
    lines = "".join(f"\n    {slug}: {found.words()}" for slug, found in figures.items())
    better = LARGER.get(precision)
    raise InputError(
        f"the model in {precision} is not the model any more: {reasons}{lines}",
        where="browser_precision",
        fix=f"browser_precision: {better}" if better else "leave browser_model out, and report this as a bug",
    )


def reference_activations(engine: Engine, sae: SparseCoder, ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """[batch, sequence, d_sae] activations of torch at `ids` [batch, sequence]."""
    import torch

    hook = sae.facts.hook_name
    with torch.no_grad():
        values = engine.activations(torch.from_numpy(ids).to(engine.device), [hook])[hook]
        found = sae.encode(values.flatten(0, 1).float())
    return found.reshape(*ids.shape, -1).cpu().numpy()


def reference_logits(
    engine: Engine,
    sae: SparseCoder,
    ids: NDArray[np.int64],
    steering: Steering,
    mask: NDArray[np.float32],
) -> NDArray[np.float32]:
    """[batch, vocabulary] torch's logits of the last position of `ids`, under `steering`."""
    import torch

    select = torch.zeros(ids.shape, dtype=torch.bool)
    select[:, -1] = True
    with torch.no_grad():
        change = steering_change(sae, steering, mask)
        found = engine.logits(torch.from_numpy(ids).to(engine.device), change, select)
    return found.cpu().numpy()


def steering_change(sae: SparseCoder, steering: Steering, mask: NDArray[np.float32]) -> dict[str, Change]:
    """`steering` as changes for `Engine.logits`: at the SAE's hook, or read there and written at another."""
    import torch

    facts = sae.facts
    read: dict[str, torch.Tensor] = {}
    rows = {name: torch.from_numpy(value) for name, value in steering.inputs().items()}

    def measured(values: torch.Tensor) -> torch.Tensor:
        flat = values.flatten(0, 1)
        found = sae.encode(flat)[:, rows["features"].to(values.device)]
        wanted, clamp, add = (rows[name].to(values.device) for name in ("target", "clamp", "add"))
        units = (clamp * (wanted - found) + add) * sae.output_scale(flat)
        added = units @ rows["directions"].to(values.device)
        shown = torch.from_numpy(mask)[..., None].to(values.device)
        read["added"] = added.reshape(*values.shape[:2], -1) * shown
        return values

    def written(values: torch.Tensor) -> torch.Tensor:
        return values + read["added"]

    if facts.hook_name_out and facts.hook_name_out != facts.hook_name:
        return {facts.hook_name: measured, facts.hook_name_out: written}
    return {facts.hook_name: lambda values: written(measured(values))}


def _steerings(
    graphs: SaeGraphs, strongest: NDArray[np.float32], directions: torch.Tensor
) -> Sequence[Steering]:
    """No steering, and the strongest feature of the first of `strongest` [batch, d_sae] set to twice that."""
    feature = int(np.argmax(strongest[0]))
    value = np.float32(2 * strongest[0, feature])
    nothing, one = np.zeros(1, np.float32), np.ones(1, np.float32)
    row = directions[feature : feature + 1].cpu().numpy().astype(np.float32)
    steered = Steering(np.array([feature]), row, nothing, np.array([value], np.float32), one)
    return no_steering(graphs.d_out), steered


@dataclass
class _Tally:
    """Sums over tokens and predictions."""

    overlaps: list[NDArray[np.float64]] = field(default_factory=list)
    relative: list[NDArray[np.float64]] = field(default_factory=list)
    flips: int = 0
    fired: int = 0
    n_tokens: int = 0
    largest: float = 0.0
    logits: float = 0.0
    agreed: list[bool] = field(default_factory=list)

    def add(self, found: NDArray[np.float32], wanted: NDArray[np.float32]) -> None:
        """Count activations [n, d_sae]."""
        fires, fired = found > 0, wanted > 0
        both = fires & fired
        self.n_tokens += len(wanted)
        self.flips += int((fires ^ fired).sum())
        self.fired += int(fired.sum())
        off = np.abs(found.astype(np.float64) - wanted)
        self.relative.append(off[fired] / wanted[fired])
        if both.any():
            self.largest = _larger(self.largest, off[both] / np.maximum(1, wanted[both]))
        if not np.isfinite(found).all():
            self.largest = np.nan
        self.overlaps.append(_overlap(found, wanted))

    def add_logits(self, found: NDArray[np.float32], wanted: NDArray[np.float32]) -> None:
        """Count predictions [n, vocabulary]."""
        off = np.abs(found.astype(np.float64) - wanted) / np.maximum(1, np.abs(wanted))
        self.logits = _larger(self.logits, off)
        self.agreed += (found.argmax(axis=1) == wanted.argmax(axis=1)).tolist()

    def figures(self) -> Figures:
        nothing = np.zeros(0)
        overlaps = np.concatenate([nothing, *self.overlaps])
        relative = np.concatenate([nothing, *self.relative])
        tokens = max(self.n_tokens, 1)
        return Figures(
            n_tokens=self.n_tokens,
            top_overlap=float(overlaps.mean()) if overlaps.size else 1.0,
            relative_error=float(np.median(relative)) if relative.size else 0.0,
            flips=self.flips / tokens,
            l0=self.fired / tokens,
            largest_error=float(self.largest),
            logits_error=float(self.logits),
            argmax_agreement=float(np.mean(self.agreed)) if self.agreed else 1.0,
        )


def _larger(before: float, values: NDArray[np.float64]) -> float:
    """The largest of all; NaN where one is (which no limit allows)."""
    return float(np.maximum(before, values.max()))


def _overlap(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float64]:
    """[m] of each row in which something fires: the share of its strongest features that `found` has too."""
    shares: list[float] = []
    for row, other in zip(wanted, found, strict=True):
        count = min(TOP, int((row > 0).sum()), row.size)
        if count:
            best, others = (set(np.argpartition(-each, count - 1)[:count].tolist()) for each in (row, other))
            shares.append(len(best & others) / count)
    return np.array(shares)
