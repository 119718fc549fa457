"""A model for browsers that nothing was exported for: files of noise, described as an export would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from atlas.errors import InputError
from atlas.export.onnx.bundle import Bundle, key_of
from atlas.export.onnx.gate import Figures
from atlas.store.browser_model import PART_BYTES, file_entry

WIDTH = 5
"""d_out of every SAE."""

FIGURES = Figures(4096, 0.999, 1e-6, 0.001, 20.0, 1e-5, 2e-5, 1.0)


class Weights:
    """`SaeWeights`, as far as its decoder: a feature's row is its number, and a half."""

    def __init__(self, d_sae: int) -> None:
        self._rows = np.arange(d_sae, dtype=np.float32)[:, None] + np.full(WIDTH, 0.5, np.float32)

    @property
    def W_dec(self) -> Weights:
        return self

    def cpu(self) -> Weights:
        return self

    def numpy(self) -> np.ndarray:
        return self._rows


def make(sizes: dict[str, int], *, precision: str = "fp32", seed: int = 0) -> Bundle:
    """A bundle for SAEs of those sizes; one of its files has two parts."""
    random = np.random.default_rng(seed)
    contents = {
        f"{slug}.{kind}.onnx": random.bytes(300) for slug in sizes for kind in ("activations", "steer")
    }
    contents |= {"weights-0.bin": random.bytes(PART_BYTES + 1000), "weights-1.bin": random.bytes(10)}
    contents |= {"tokenizer.json": b"{}", "checks.json": b"{}"}
    saes = [
        {
            "slug": slug,
            "activations": f"{slug}.activations.onnx",
            "steer": f"{slug}.steer.onnx",
            "activation_files": ["weights-0.bin"],
            "steer_files": ["weights-0.bin", "weights-1.bin"],
            "hook_name": "blocks.0.hook_resid_pre",
            "hook_name_out": "",
            "d_sae": count,
            "d_out": WIDTH,
            "prepend_bos": True,
            "context_size": 32,
            "gate": FIGURES.as_json(),
        }
        for slug, count in sizes.items()
    ]
    payload: dict[str, Any] = {
        "precision": precision,
        "directions": "float32" if precision == "fp32" else "float16",
        "files": [file_entry(name, key_of(name), content) for name, content in contents.items()],
        "saes": saes,
        "model": {
            "name": "fake",
            "vocabulary_size": 300,
            "n_layers": 1,
            "kv_heads": [1],
            "d_head": [4],
            "context_size": 64,
            "bos_token_id": 0,
        },
        "versions": [{"library": "onnx", "version": "1"}],
    }
    return Bundle(contents, payload, dict.fromkeys(sizes, FIGURES))


class FakeExport:
    """Stands in for what exports and what refuses; told to fail, it does."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self.refusals: list[str] = []
        """'libraries' or 'unexportable' → refused."""
        self.failure: BaseException | None = None
        patch.setattr("atlas.pipeline.browser.bundle", self._bundle)
        patch.setattr("atlas.export.onnx.refuse.refuse_missing_libraries", self._refuser("libraries"))
        patch.setattr("atlas.export.onnx.refuse.refuse_unexportable", self._refuser("unexportable"))

    def _refuser(self, name: str) -> Any:
        def refuse(*_: Any) -> None:
            if name in self.refusals:
                raise InputError(f"refused: {name}")

        return refuse

    def _bundle(self, job: Any) -> Bundle:
        self.calls += 1
        if self.failure is not None:
            raise self.failure
        for sae in job.saes:
            sae.weights = lambda count=sae.facts.d_sae: Weights(count)
        sizes = {sae.facts.slug: sae.facts.d_sae for sae in job.saes}
        return make(sizes, precision=job.config.browser_precision.replace("auto", "fp32"))
