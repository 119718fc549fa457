"""The Python twin of the pages that run the model: texts through the exported graphs, same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from atlas.errors import InputError
from atlas.reader.results import Continuation, TextActivations
from atlas.reader.runtime import Runtime
from atlas.reader.steering import Mode, Sampling, generate, steering_of
from atlas.reader.windows import Windows, cut, well_formed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.reader.spelling import Spelling
    from atlas.store import AtlasStore, SaeEntry

MOST_VALUES = 1 << 29
"""Activations (tokens times features) that one text may have: 2 GiB of single precision."""


class LocalModel:
    """The exported model of a dataset, run here by onnxruntime on one thread.

    `InputError` when the dataset has none, or a library is missing.
    """

    def __init__(self, store: AtlasStore, spelling: Spelling) -> None:
        self._store = store
        self._spelling = spelling
        self._runtime = Runtime(store)

    def activations(self, sae: SaeEntry, text: str) -> TextActivations:
        """Activations of `sae` at every token of `text`; nothing is run for a text without tokens.

        `InputError` for a text with more activations than `MOST_VALUES`.
        """
        entry = self._runtime.sae(sae.slug)
        valid, replaced = well_formed(text)
        windows = cut(self._runtime.encode(valid), entry["context_size"], self._bos(sae))
        token_ids = windows.token_ids.tolist()
        if len(token_ids) * entry["d_sae"] > MOST_VALUES:
            raise InputError(
                f"{len(token_ids):,} tokens times {entry['d_sae']:,} features are more than"
                f" {MOST_VALUES:,} activations",
                fix="give the text in parts",
            )
        return TextActivations(
            sae=sae,
            token_ids=tuple(token_ids),
            tokens=tuple(self._spelling.text([token_id]) for token_id in token_ids),
            pieces=tuple(self._spelling.pieces(token_ids)),
            bos=windows.bos,
            values=self._values(sae.slug, windows, entry["d_sae"]),
            windows=len(windows.bounds),
            replaced=replaced,
        )

    def steer(
        self, sae: SaeEntry, text: str, strengths: Mapping[int, float], mode: Mode, sampling: Sampling
    ) -> Continuation:
        """`text` continued while features are steered.

        `InputError` for a text without tokens, and as `Sampling.check`, `steering_of` and `generate`.
        """
        sampling.check()
        valid, _ = well_formed(text)
        own = self._runtime.encode(valid)
        if not own:
            raise InputError("the text is empty", fix="give a text to continue")
        bos = self._bos(sae)
        prompt = own if bos is None else [bos, *own]
        steering = steering_of(self._store, self._runtime, sae, strengths, mode)
        made = generate(self._runtime, sae.slug, prompt, steering, sampling)
        return Continuation(
            sae=sae,
            prompt=valid,
            strengths=dict(strengths),
            mode=mode,
            sampling=sampling,
            token_ids=made.token_ids,
            pieces=tuple(self._spelling.pieces(made.token_ids)),
            probabilities=made.probabilities,
            logits=made.logits,
            measured=made.measured[:, : len(strengths)],
        )

    def _bos(self, sae: SaeEntry) -> int | None:
        """The BOS that windows of `sae` begin with, or None."""
        wanted = self._runtime.sae(sae.slug)["prepend_bos"]
        return self._runtime.facts["model"]["bos_token_id"] if wanted else None

    def _values(self, slug: str, windows: Windows, d_sae: int) -> NDArray[np.float32]:
        """Activations [n_tokens, d_sae], each window run alone."""
        values = np.empty((windows.token_ids.size, d_sae), np.float32)
        for start, stop in windows.bounds:
            session = self._runtime.session(slug, "activations")
            ids = windows.token_ids[None, start:stop]
            values[start:stop] = session.run(["activations"], {"input_ids": ids})[0][0]
        return values
