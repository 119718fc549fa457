"""Writes the dataset of a made-up atlas of any size: the real tables, by the real writer, fast and by seed.

    python bench/synthetic_atlas.py build/synthetic/24k/data --features 24576
    python bench/synthetic_atlas.py build/synthetic/131k/data --features 131072
    python bench/synthetic_atlas.py build/synthetic/1m/data --features 1000000 --lean

Nothing in it means anything: words, texts, activations and explanations come from a seeded generator.
Their sizes are those of real ones: word frequencies by Zipf's law, as many examples, tokens and bins per
feature as `atlas build` keeps. `--lean` leaves out what neither the table nor the search nor the map needs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.synthetic_columns import (  # noqa: E402
    D_MODEL,
    N_CONTEXTS,
    N_TOKENS,
    clusters_table,
    coords_table,
    explanations_table,
    features_columns,
    logits_table,
    make_layout,
    make_profiles,
    neighbours_table,
    weights_table,
)
from bench.synthetic_examples import (  # noqa: E402
    AFTER,
    BEFORE,
    INTERVALS,
    PER_INTERVAL,
    RANDOM,
    SILENT,
    TOP,
    contexts_table,
    effects_table,
    examples_table,
)
from bench.synthetic_world import BOS, SOURCES, SPECIAL, Scale, make_world  # noqa: E402

if TYPE_CHECKING:
    from atlas.store import AtlasStore
    from bench.synthetic_examples import Profiles
    from bench.synthetic_world import World

SLUG = "synthetic"
"""The one SAE of the dataset."""

_BLOCK = 1024
"""Features made at once: what bounds the memory."""


def make_synthetic(folder: Path, scale: Scale) -> AtlasStore:
    """The dataset of `scale` in `folder`, which must be missing or empty; equal scales give equal bytes."""
    from atlas.index.search import build_postings
    from atlas.index.vectors import build_vectors
    from atlas.store import AtlasStore

    world = make_world(scale)
    profiles = make_profiles(scale, world)
    store = AtlasStore.create(folder)
    with store.lock():
        store.update(**_facts(scale, world))
        _write_shared(store, scale, world)
        _write_sae(store, scale, world, profiles)
        build_postings(store)
        build_vectors(store)
    return store


def _blocks(scale: Scale) -> Iterator[slice]:
    for start in range(0, scale.features, _BLOCK):
        yield slice(start, min(start + _BLOCK, scale.features))


def _write_sae(store: AtlasStore, scale: Scale, world: World, profiles: Profiles) -> None:
    from atlas import schema

    layout = make_layout(scale)
    features = _features_schema(scale, world)

    def features_table(block: slice) -> pa.Table:
        columns = features_columns(scale, world, profiles, layout, block)
        return pa.table([columns[name] for name in features.names], schema=features)

    tables: list[tuple[str, pa.Schema, Callable[[slice], pa.Table]]] = [
        ("features", features, features_table),
        ("coords", schema.COORDS, lambda block: coords_table(layout, block)),
        (
            "explanations",
            schema.EXPLANATIONS,
            lambda block: explanations_table(scale, world, profiles, block),
        ),
    ]
    if not scale.lean:
        tables += [
            ("examples", schema.EXAMPLES, lambda b: examples_table(scale, world, profiles, b.start, b.stop)),
            ("effects", schema.EFFECTS, lambda b: effects_table(scale, world, profiles, b.start, b.stop)),
            ("logits", schema.LOGITS, lambda block: logits_table(scale, world, block)),
            ("weights", schema.WEIGHTS, lambda block: weights_table(scale, profiles, block)),
            ("neighbours", schema.NEIGHBOURS, lambda block: neighbours_table(scale, layout, block)),
        ]
    for name, shape, make in tables:
        with store.writer(name, sae=SLUG, schema=shape) as writer:
            for block in _blocks(scale):
                writer.write(make(block))
    _write(store, "clusters", clusters_table(scale, world, layout), SLUG)
    _write(store, "report", _report(profiles), SLUG)


def _features_schema(scale: Scale, world: World) -> pa.Schema:
    """The columns of all installed statistics, or those that a lean dataset has."""
    from atlas.stats.base import PassShape
    from atlas.stream.statistics import StatisticSet

    shape = PassShape(
        1, len(world.vocabulary), scale.context_size, 0, TOP, INTERVALS, PER_INTERVAL, RANDOM, BEFORE, AFTER,
        1, SILENT,
    )  # fmt: skip
    whole = StatisticSet(shape).schema
    few = Scale(min(scale.features, 2), lean=scale.lean, vocabulary=600, contexts=64, context_size=32)
    small = make_world(few)
    made = features_columns(few, small, make_profiles(few, small), make_layout(few), slice(0, few.features))
    return pa.schema([field for field in whole if field.name in made])


def _write(store: AtlasStore, name: str, table: pa.Table, sae: str | None = None) -> None:
    with store.writer(name, sae=sae, schema=table.schema) as writer:
        writer.write(table)


def _write_shared(store: AtlasStore, scale: Scale, world: World) -> None:
    from atlas import schema

    lengths = np.diff(world.bounds)
    numbers = np.arange(lengths.size)
    names = [
        f"{SOURCES[number % len(SOURCES)]}/{world.words[number % 5000]}-{number}.txt" for number in numbers
    ]
    sources = [SOURCES[number % len(SOURCES)] for number in numbers]
    columns = [pa.array(numbers, pa.int32()), names, pa.array(lengths, pa.int64()), sources]
    _write(store, "documents", pa.table(columns, schema=schema.DOCUMENTS))
    special = np.arange(len(world.vocabulary)) == BOS
    pieces = [SPECIAL if one else "" for one in special]
    ids = pa.array(np.arange(special.size), pa.int32())
    _write(store, "vocabulary", pa.table([ids, world.vocabulary, special, pieces], schema=schema.VOCABULARY))
    if not scale.lean:
        _write(store, "contexts", contexts_table(world))


def _report(profiles: Profiles) -> pa.Table:
    """A report card of the counts alone."""
    from atlas.schema import REPORT

    firing = profiles.firing_tokens
    alive = int(np.count_nonzero(firing))
    rows = [
        ("n_tokens", "counted tokens", N_TOKENS, "tokens"),
        ("l0", "L0", float(firing.sum()) / N_TOKENS, "count"),
        ("n_features", "features", firing.size, "count"),
        ("alive", "alive features", alive, "count"),
        ("dead", "dead features", firing.size - alive, "count"),
        ("median_density", "median density", float(np.median(firing[firing > 0])) / N_TOKENS, "fraction"),
    ]
    columns = [*zip(*rows, strict=True), ["Made up, like everything here."] * len(rows)]
    arrays = [pa.array(one, field.type) for one, field in zip(columns, REPORT, strict=True)]
    return pa.table(arrays, schema=REPORT)


def _facts(scale: Scale, world: World) -> dict[str, Any]:
    """What the manifest says."""
    facts = {
        "architecture": "jumprelu",
        "context_size": scale.context_size,
        "d_in": D_MODEL,
        "d_sae": scale.features,
        "dtype": "float32",
        "folds": {},
        "hook_name": "blocks.6.hook_resid_post",
        "hook_name_out": "",
        "metadata": {},
        "model_name": "synthetic",
        "prepend_bos": True,
        "slug": SLUG,
        "source": {"folder": "made up"},
        "title": "Synthetic",
        "weights_sha256": f"{scale.seed:064x}",
    }
    return {
        "title": f"Synthetic atlas of {scale.features:,} features",
        "description": "Made up by a seeded generator to measure sizes and speeds; it has no meaning.",
        "author": "bench/synthetic_atlas.py",
        "model": {
            "name": "synthetic", "engine": "transformers", "architecture": "gpt2", "n_layers": 12,
            "d_model": D_MODEL, "vocabulary_size": len(world.vocabulary), "context_size": scale.context_size,
            "dtype": "float32", "device": "cpu", "weights_sha256": "1" * 64, "tokenizer_sha256": "2" * 64,
        },
        "corpus": {
            "kind": "text", "description": "Made-up words by Zipf's law.", "fingerprint": "3" * 64,
            "n_documents": world.bounds.size - 1, "n_tokens_read": N_TOKENS + N_CONTEXTS,
            "context_size": scale.context_size, "tokens_requested": N_TOKENS, "prepend_bos": True,
            "separator": "bos",
        },
        "stream": {
            "n_tokens": N_TOKENS, "n_contexts": N_CONTEXTS, "n_masked": N_CONTEXTS, "mask": "special tokens",
            "window_before": BEFORE, "window_after": AFTER, "top_examples": TOP, "interval_count": INTERVALS,
            "interval_examples": PER_INTERVAL, "random_examples": RANDOM, "counter_examples": SILENT,
            "sample": "made up", "sample_tokens": 65_536, "warnings": [],
        },
        "saes": [{"slug": SLUG, "title": "Synthetic", "n_features": scale.features, "facts": facts}],
        "enrichers": {"umap": "Made up: clouds of random points."},
        "stages": {"stream": "4" * 64},
    }  # fmt: skip


def main() -> None:
    """Parse, make, say what it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of the dataset; missing or empty")
    parser.add_argument("--features", type=int, default=24_576)
    parser.add_argument("--lean", action="store_true", help="only what table, search and map need")
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    begun = time.perf_counter()
    store = make_synthetic(wanted.folder, Scale(wanted.features, lean=wanted.lean, seed=wanted.seed))
    size = sum(path.stat().st_size for path in store.path.rglob("*") if path.is_file())
    print(
        f"{wanted.features:,} features, {size:,} bytes, {time.perf_counter() - begun:.1f} s: {wanted.folder}"
    )


if __name__ == "__main__":
    main()
