"""Documents, vocabulary and report card, written from their definitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.support.oracle import Recording

COLUMNS: dict[str, set[str]] = {
    "documents": {"document_idx", "name", "n_tokens", "source"},
    "vocabulary": {"token_id", "bytes", "special", "piece"},
    "report": {"metric", "label", "value", "unit", "doc"},
    "contexts": {"context_idx", "token_ids"},
}
"""Table → the columns that are computed here (of the report card the values)."""


def documents(
    names: Sequence[str], token_ids: Sequence[Sequence[int]], sources: Sequence[str]
) -> list[dict[str, Any]]:
    """One row per document with a token, all of which were read; `sources` are those of such documents."""
    read = [(name, ids) for name, ids in zip(names, token_ids, strict=True) if len(ids)]
    return [
        {"document_idx": number, "name": name, "n_tokens": len(ids), "source": source}
        for number, ((name, ids), source) in enumerate(zip(read, sources, strict=True))
    ]


def byte_level_vocabulary(tokenizer: Any, size: int) -> list[dict[str, Any]]:
    """Every id below `size` of a byte-level BPE (GPT-2's): its bytes, whether it is special, its spelling.

    GPT-2's alphabet: printable Latin-1 bytes stand for themselves, the others for U+0100 onwards, in order.
    """
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {chr(byte): byte for byte in plain}
    for number, byte in enumerate(byte for byte in range(256) if byte not in plain):
        letters[chr(256 + number)] = byte
    rows = []
    spelling = {number: piece for piece, number in tokenizer.get_vocab().items()}
    for number in range(size):
        special = number in tokenizer.all_special_ids or number not in spelling
        piece = spelling.get(number, f"<unused {number}>")
        data = b"" if special else bytes(letters[letter] for letter in piece)
        rows.append({"token_id": number, "bytes": data, "special": special, "piece": piece})
    return rows


def reconstruction(originals: np.ndarray, outputs: np.ndarray, counted: np.ndarray) -> dict[str, float]:
    """How well `outputs` are `originals`, both [contexts, size, width], on the counted tokens."""
    x, y = originals.astype(np.float64), outputs.astype(np.float64)
    errors, cosines, lengths, legacy = [], [], [], []
    for context, counts in enumerate(counted):
        rows = x[context][counts]
        for a, b in zip(rows, y[context][counts], strict=True):
            error = sum((p - q) ** 2 for p, q in zip(a, b, strict=True))
            size, made = math.sqrt(sum(p * p for p in a)), math.sqrt(sum(q * q for q in b))
            product = sum(p * q for p, q in zip(a, b, strict=True))
            errors.append(error)
            cosines.append(product / (size * made) if size and made else 0.0)
            lengths.append((size, made, product))
            legacy.append(1 - error / ((a - rows.mean(axis=0)) ** 2).sum())
    n = len(errors)
    all_rows = x[counted]
    return {
        "explained_variance": float(1 - sum(errors) / ((all_rows - all_rows.mean(axis=0)) ** 2).sum()),
        "explained_variance_legacy": sum(legacy) / n,
        "mse": sum(errors) / n,
        "cosine": sum(cosines) / n,
        "l2_norm_in": sum(size for size, _, _ in lengths) / n,
        "l2_norm_out": sum(made for _, made, _ in lengths) / n,
        "l2_ratio": sum(made / size for size, made, _ in lengths) / n,
        "relative_reconstruction_bias": sum(made * made for _, made, _ in lengths)
        / sum(product for _, _, product in lengths),
    }


def losses(
    plain: Any, with_sae: Any, with_zero: Any, token_ids: np.ndarray, counted: np.ndarray
) -> dict[str, float]:
    """What the SAE costs the model, from three tensors of logits [contexts, size, vocabulary].

    The loss of a prediction counts where its position counts and a token follows; the divergence wherever
    the position counts.
    """
    names = ("without_sae", "with_sae", "with_ablation")
    logs = [logits.double().log_softmax(-1).numpy() for logits in (plain, with_sae, with_zero)]
    nll: dict[str, list[float]] = {name: [] for name in names}
    divergence: dict[str, list[float]] = {name: [] for name in names}
    for context, position in np.argwhere(counted).tolist():
        following = position + 1 < token_ids.shape[1] and token_ids[context, position + 1] >= 0
        for name, log in zip(names, logs, strict=True):
            if following:
                nll[name].append(-float(log[context, position, token_ids[context, position + 1]]))
            own = logs[0][context, position]
            divergence[name].append(float((np.exp(own) * (own - log[context, position])).sum()))
    ce = {name: sum(values) / len(values) for name, values in nll.items()}
    kl = {name: sum(values) / len(values) for name, values in divergence.items()}
    return {
        **{f"ce_loss_{name}": value for name, value in ce.items()},
        "ce_loss_score": (ce["with_ablation"] - ce["with_sae"]) / (ce["with_ablation"] - ce["without_sae"]),
        "kl_div_with_sae": kl["with_sae"],
        "kl_div_with_ablation": kl["with_ablation"],
        "kl_div_score": (kl["with_ablation"] - kl["with_sae"]) / kl["with_ablation"],
    }


def firing(recording: Recording) -> dict[str, float | None]:
    """How often the features fire."""
    n_tokens = int(recording.counted.sum())
    counts = [int((recording.firing[:, :, feature] > 0).sum()) for feature in range(recording.n_features)]
    alive = sorted(count / n_tokens for count in counts if count)
    n_alive, n_dense = len(alive), sum(count / n_tokens > 0.1 for count in counts)
    return {
        "n_tokens": float(n_tokens),
        "n_contexts": float(sum(bool(context.any()) for context in recording.counted)),
        "l0": sum(counts) / n_tokens,
        "l1": math.fsum(recording.firing.astype(np.float64).reshape(-1).tolist()) / n_tokens,
        "n_features": float(len(counts)),
        "alive": float(n_alive),
        "dead": float(len(counts) - n_alive),
        "dense": float(n_dense),
        "alive_share": n_alive / len(counts),
        "dead_share": 1 - n_alive / len(counts),
        "dense_share": n_dense / len(counts),
        "density_p10": between(alive, 0.1),
        "median_density": between(alive, 0.5),
        "density_p90": between(alive, 0.9),
        "rare_share": sum(share < 1e-4 for share in alive) / n_alive if alive else None,
    }


def between(ordered: list[float], share: float) -> float | None:
    """The quantile of a sorted list: linear between its two nearest entries, the ends being 0 and 1."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
