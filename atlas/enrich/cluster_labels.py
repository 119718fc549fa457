"""Names for the regions of the map, from the tokens their features fire on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from atlas.enrich.token_names import listing, merged_shares, read_token_texts, share_columns, token_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.store import AtlasStore

WORDS = 3
"""Tokens in a label, at most."""
MAX_LENGTH = 60
"""Longest label, in characters; a longer one has fewer tokens."""
TOKENS_PER_FEATURE = 5
"""Tokens of a feature that count, by activation."""
_STEP = 4096


def label_clusters(
    store: AtlasStore, slug: str, features: NDArray[np.int32], cluster: NDArray[np.int32]
) -> list[str]:
    """One label per cluster 0 … max(cluster), for `features` [n] in the clusters `cluster` [n] (-1: none).

    The label names the tokens with the largest p · log(p / q): p is the token's mean share of the
    activation over the features of the cluster, q over all features. A token has to matter to two
    features of a cluster of three or more. Where no token does, the label is 'mixed'.
    """
    count = int(cluster.max(initial=-1)) + 1
    home = dict(zip(features.tolist(), cluster.tolist(), strict=True))
    names = {number: token_name(text) for number, text in read_token_texts(store).items()}
    inside: list[dict[str, list[float]]] = [{} for _ in range(count)]
    overall: dict[str, float] = {}
    for feature, shares in _feature_shares(store, slug, names):
        for name, share in shares.items():
            overall[name] = overall.get(name, 0.0) + share
            if home.get(feature, -1) >= 0:
                inside[home[feature]].setdefault(name, []).append(share)
    sizes = np.bincount(cluster[cluster >= 0], minlength=count).tolist()
    total = max(len(features), 1)
    everywhere = {name: share / total for name, share in overall.items()}
    return [_label(found, size, everywhere) for found, size in zip(inside, sizes, strict=True)]


def _feature_shares(
    store: AtlasStore, slug: str, names: dict[int, str]
) -> Iterator[tuple[int, dict[str, float]]]:
    """(feature, token name → share of its activation) for every feature that fires."""
    for _, _, rows in store.iter_features("features", slug, _STEP, share_columns(store, slug)):
        for row in rows.to_pylist():
            shares = merged_shares(row, names)
            best = sorted(shares.items(), key=lambda item: (-item[1], item[0]))[:TOKENS_PER_FEATURE]
            if best:
                yield row["feature_idx"], dict(best)


def _label(inside: dict[str, list[float]], size: int, everywhere: dict[str, float]) -> str:
    """The label of one cluster of `size` features, from the shares of each name `inside` it."""
    scores = {
        name: (sum(shares) / size) * math.log(sum(shares) / size / everywhere[name])
        for name, shares in inside.items()
        if len(shares) >= min(2, size - 1)
    }
    best = sorted((-score, name) for name, score in scores.items() if score > 0)
    for words in range(min(WORDS, len(best)), 0, -1):
        label = listing([name for _, name in best[:words]])
        if len(label) <= MAX_LENGTH:
            return label
    return best[0][1][: MAX_LENGTH - 1] + "…" if best else "mixed"
