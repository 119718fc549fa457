"""The exported files, run here by onnxruntime as a browser runs them: on one thread, from memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.export.onnx.files import graph_file
from atlas.export.onnx.graphs import TOKEN_IDS, Decoder, SaeGraphs, cache_names
from atlas.store.model_graphs import Steering, open_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas.export.onnx.files import ModelFiles


def no_steering(d_out: int) -> Steering:
    """One row that changes nothing."""
    nothing = np.zeros(1, np.float32)
    return Steering(np.zeros(1, np.int64), np.zeros((1, d_out), np.float32), nothing, nothing, nothing)


@dataclass(frozen=True, eq=False)
class Step:
    """What a steering graph gives for one call."""

    logits: NDArray[np.float32]
    """[batch, vocabulary] of the last position."""
    measured: NDArray[np.float32]
    """[batch, sequence, k] activations of the steered features before the change."""
    cache: dict[str, NDArray[np.float32]]
    """Keys and values so far, under the names of the inputs."""


class Runner:
    """Sessions of one exported model; one is open at a time, for each holds its weights."""

    def __init__(self, files: ModelFiles, decoder: Decoder) -> None:
        self._files = files
        self._decoder = decoder
        self._open: tuple[str, Any] = ("", None)

    @property
    def context_size(self) -> int:
        """Longest sequence the model takes."""
        return self._decoder.context_size

    def activations(self, sae: SaeGraphs, token_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """[batch, sequence, d_sae] activations at `token_ids` [batch, sequence]."""
        return self._session(sae.activations).run(None, {TOKEN_IDS: token_ids})[0]

    def step(
        self,
        sae: SaeGraphs,
        token_ids: NDArray[np.int64],
        steering: Steering,
        mask: NDArray[np.float32],
        cache: dict[str, NDArray[np.float32]] | None = None,
    ) -> Step:
        """One call of the steering graph; `mask` [batch, sequence], `cache` of the call before."""
        session = self._session(sae.steer)
        past = cache or self._empty(len(token_ids))
        names = [output.name for output in session.get_outputs()]
        inputs = {TOKEN_IDS: token_ids, "mask": mask, **steering.inputs(), **past}
        found = dict(zip(names, session.run(names, inputs), strict=True))
        layers = self._decoder.n_layers
        pairs = zip(cache_names(layers, "past"), cache_names(layers, "present"), strict=True)
        return Step(found["logits"], found["measured"], {past: found[present] for past, present in pairs})

    def greedy(
        self, sae: SaeGraphs, prompt: Sequence[int], steering: Steering, n_tokens: int, masked: int
    ) -> tuple[list[int], NDArray[np.float32]]:
        """The `n_tokens` likeliest ids after `prompt` (of equals the lowest), and the logits [n, vocabulary].

        The first `masked` positions of the prompt are not steered.
        """
        ids, made = list(prompt), list[int]()
        mask = np.ones((1, len(ids)), np.float32)
        mask[0, :masked] = 0
        cache: dict[str, NDArray[np.float32]] | None = None
        logits: list[NDArray[np.float32]] = []
        for _ in range(n_tokens):
            step = self.step(sae, np.array([ids], np.int64), steering, mask, cache)
            cache = step.cache
            logits.append(step.logits[0])
            made.append(int(np.argmax(step.logits[0])))
            ids, mask = [made[-1]], np.ones((1, 1), np.float32)
        return made, np.stack(logits)

    def _empty(self, batch: int) -> dict[str, NDArray[np.float32]]:
        shape = (batch, self._decoder.kv_heads, 0, self._decoder.d_head)
        return {name: np.zeros(shape, np.float32) for name in cache_names(self._decoder.n_layers, "past")}

    def _session(self, graph: str) -> Any:
        import onnxruntime

        if self._open[0] != graph:
            self._open = ("", None)
            name = graph_file(graph)
            weights = {weight: self._files.contents[weight] for weight in self._files.needs[name]}
            session = open_session(onnxruntime, self._files.contents[name], weights)
            self._open = (graph, session)
        return self._open[1]
