"""What the pass found, written as tables."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import pyarrow as pa

from atlas.schema import DOCUMENTS, EXAMPLES, REPORT, VOCABULARY
from atlas.stream.copies import count_copies
from atlas.stream.examples import example_rows
from atlas.stream.report import report_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atlas.sources.packing import SeenDocument
    from atlas.sources.tokens import TokenBytes
    from atlas.store import AtlasStore
    from atlas.stream.contexts import ContextFiles
    from atlas.stream.losses import Losses
    from atlas.stream.sae_pass import SaePass

FEATURES_AT_ONCE = 512
"""Features whose examples are in memory together."""


def write_sae_tables(
    store: AtlasStore,
    sae_pass: SaePass,
    contexts: ContextFiles,
    *,
    losses: Losses,
    sample: str,
    sources: Sequence[str] = (),
) -> None:
    """Tables features, examples and report of one SAE.

    `losses` and `sample` as for `report_table`; `sources` are the names of the corpus's sources.
    """
    slug = sae_pass.sae.facts.slug
    statistics, shape = sae_pass.statistics, sae_pass.statistics.shape
    features = statistics.features(replace(sae_pass.totals, sources=tuple(map(_storable, sources))))
    with store.writer("features", sae=slug, schema=features.schema) as writer:
        writer.write(features)
    blocks = [
        (start, min(start + FEATURES_AT_ONCE, shape.n_features))
        for start in range(0, shape.n_features, FEATURES_AT_ONCE)
    ]
    # Choosing twice is cheaper than keeping the windows of all features while the corpus is searched.
    copies = count_copies(
        chain.from_iterable(statistics.selections(start, stop, features) for start, stop in blocks), contexts
    )
    with store.writer("examples", sae=slug, schema=EXAMPLES) as writer:
        for start, stop in blocks:
            chosen = statistics.selections(start, stop, features)
            writer.write(example_rows(chosen, contexts, copies, shape))
    firing = features.column("firing_tokens").to_numpy()
    strength = features.column("mean_activation").cast("float64").fill_null(0.0).to_numpy()
    figures = sae_pass.reconstruction.figures()
    with store.writer("report", sae=slug, schema=REPORT) as writer:
        writer.write(report_table(sae_pass.totals, firing, strength, figures, losses, sample))


def write_documents(store: AtlasStore, documents: Sequence[SeenDocument]) -> None:
    """Table documents: what was read, in corpus order."""
    columns = [
        pa.array(range(len(documents)), DOCUMENTS.field("document_idx").type),
        pa.array([_storable(document.name) for document in documents], pa.string()),
        pa.array([document.n_tokens for document in documents], pa.int64()),
        pa.array([_storable(document.source) for document in documents], pa.string()),
    ]
    with store.writer("documents", schema=DOCUMENTS) as writer:
        writer.write(pa.table(columns, schema=DOCUMENTS))


def write_vocabulary(store: AtlasStore, tokens: TokenBytes) -> None:
    """Table vocabulary: the exact bytes of every token."""
    entries = tokens.vocabulary()
    columns = [
        pa.array(range(len(entries)), VOCABULARY.field("token_id").type),
        pa.array([data for data, _, _ in entries], pa.binary()),
        pa.array([special for _, special, _ in entries], pa.bool_()),
        pa.array([_storable(piece) for _, _, piece in entries], pa.string()),
    ]
    with store.writer("vocabulary", schema=VOCABULARY) as writer:
        writer.write(pa.table(columns, schema=VOCABULARY))


def _storable(text: str) -> str:
    """`text` without lone surrogates, which UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
