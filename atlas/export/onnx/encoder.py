"""An SAE's encoder as ONNX nodes, for all of its features or for some.

It is what `SaeWeights` and `EncoderSteps` say, with W_enc by its rows [d_sae, d_in] so that the encoder of a
few features takes only theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atlas.sources.saes.base import LAYER_NORM_EPS

if TYPE_CHECKING:
    import numpy as np

    from atlas.export.onnx.surgery import Draft
    from atlas.sources.saes.base import EncoderSteps, SaeWeights


@dataclass(frozen=True)
class Prepared:
    """An input as the encoder sees it."""

    inputs: str
    """[batch, sequence, d_in]"""
    scale: str | None
    """[batch, sequence, 1] what one unit of output is worth (`SparseCoder.output_scale`); None for 1."""


@dataclass(frozen=True)
class Encoder:
    """The nodes of one SAE's encoder, written into drafts."""

    steps: EncoderSteps
    """What the encoder does besides the weights."""
    d_in: int
    """Width of its input."""
    tensors: dict[str, np.ndarray]
    """`W_enc` [d_sae, d_in], `b_enc` [d_sae], `b_dec` [d_in] where it is subtracted, and `threshold` [d_sae]
    where there is one."""
    slug: str
    """The SAE's address: in graphs its tensors are named `<slug>.W_enc` and so on."""

    @classmethod
    def of(cls, slug: str, weights: SaeWeights, steps: EncoderSteps) -> Encoder:
        """The encoder of an SAE; `ValueError` where it has none (matching pursuit)."""
        if weights.W_enc is None or weights.b_enc is None:
            raise ValueError(f"SAE {slug!r} has no encoder")
        tensors = {"W_enc": weights.W_enc.T, "b_enc": weights.b_enc, "threshold": weights.threshold}
        if steps.subtracts:
            tensors["b_dec"] = weights.b_dec
        plain = {name: value.contiguous().numpy() for name, value in tensors.items() if value is not None}
        return cls(steps, int(weights.W_enc.shape[0]), plain, slug)

    def named_tensors(self) -> dict[str, np.ndarray]:
        """The tensors by their names in graphs."""
        return {f"{self.slug}.{name}": value for name, value in self.tensors.items()}

    def prepare(self, draft: Draft, value: str) -> Prepared:
        """Centre and normalise `value` [batch, sequence, d_in] and subtract b_dec, as the SAE wants."""
        inputs, scale = value, None
        last = draft.constant("sae.last", [-1])
        if self.steps.centred:
            inputs = _less_mean(draft, inputs, last, "sae.centred")
        if self.steps.normalisation == "layer_norm":
            inputs = _less_mean(draft, inputs, last, "sae.level")
            squares = draft.add("ReduceSumSquare", [inputs, last], "sae.squares", keepdims=1)
            count = draft.constant("sae.count", self.d_in - 1, "float32")
            variance = draft.add("Div", [squares, count], "sae.variance")
            scale = draft.add("Sqrt", [variance], "sae.spread")
            least = draft.constant("sae.epsilon", LAYER_NORM_EPS, "float32")
            divisor = draft.add("Add", [scale, least], "sae.divisor")
            inputs = draft.add("Div", [inputs, divisor], "sae.normalised")
        elif self.steps.normalisation == "constant_norm_rescale":
            length = draft.add("ReduceL2", [inputs, last], "sae.length", keepdims=1)
            root = draft.constant("sae.root", self.d_in**0.5, "float32")
            scale = draft.add("Div", [length, root], "sae.factor")
            inputs = draft.add("Div", [inputs, scale], "sae.normalised")
        if self.steps.subtracts:
            b_dec = self._tensor(draft, "b_dec")
            inputs = draft.add("Sub", [inputs, b_dec], "sae.inputs")
        return Prepared(inputs, scale if self.steps.scales_output else None)

    def all_features(self, draft: Draft, inputs: str, output: str) -> None:
        """`output` float32 [batch, sequence, d_sae] from the prepared `inputs`."""
        rows, bias = self._tensor(draft, "W_enc"), self._tensor(draft, "b_enc")
        hidden = self._hidden(draft, inputs, rows, bias, "sae.hidden")
        least = self._least(draft, hidden) if self.steps.k else None
        self._activate(draft, hidden, self._threshold(draft), least, output)

    def some_features(self, draft: Draft, inputs: str, features: str, output: str) -> None:
        """`output` float32 [batch, sequence, k] of the `features` int64 [k], from the prepared `inputs`."""
        threshold = self._threshold(draft)
        if threshold is not None:
            threshold = draft.add("Gather", [threshold, features], "sae.thresholds", axis=0)
        rows, bias = self._tensor(draft, "W_enc"), self._tensor(draft, "b_enc")
        if self.steps.k:
            # Which of them fire depends on all.
            everything = self._hidden(draft, inputs, rows, bias, "sae.everything")
            hidden = draft.add("Gather", [everything, features], "sae.hidden", axis=2)
            self._activate(draft, hidden, threshold, self._least(draft, everything), output)
            return
        rows = draft.add("Gather", [rows, features], "sae.rows", axis=0)
        bias = draft.add("Gather", [bias, features], "sae.biases", axis=0)
        hidden = self._hidden(draft, inputs, rows, bias, "sae.hidden")
        self._activate(draft, hidden, threshold, None, output)

    def _tensor(self, draft: Draft, name: str) -> str:
        draft.tensors[f"{self.slug}.{name}"] = self.tensors[name]
        return f"{self.slug}.{name}"

    def _threshold(self, draft: Draft) -> str | None:
        return self._tensor(draft, "threshold") if "threshold" in self.tensors else None

    def _hidden(self, draft: Draft, inputs: str, rows: str, bias: str, output: str) -> str:
        turned = draft.add("Transpose", [rows], f"{output}.turned", perm=[1, 0])
        product = draft.add("MatMul", [inputs, turned], f"{output}.product")
        return draft.add("Add", [product, bias], output)

    def _least(self, draft: Draft, hidden: str) -> str:
        """[batch, sequence, 1] the k-th largest pre-activation: what may fire is not below it."""
        count = draft.constant("sae.k", [self.steps.k])
        largest = draft.add("TopK", [hidden, count], "sae.largest", "sae.places", axis=-1)
        last = draft.constant("sae.last", [-1])
        return draft.add("ReduceMin", [largest, last], "sae.least", keepdims=1)

    def _activate(
        self, draft: Draft, hidden: str, threshold: str | None, least: str | None, output: str
    ) -> None:
        """The pre-activation where it exceeds threshold and zero and is not below `least`; else 0."""
        if threshold is None and least is None:
            draft.add("Relu", [hidden], output)
            return
        zero = draft.constant("sae.zero", 0, "float32")
        fires = draft.add("Greater", [hidden, threshold or zero], "sae.above")
        if least is not None:
            among = draft.add("GreaterOrEqual", [hidden, least], "sae.among")
            fires = draft.add("And", [fires, among], "sae.fires")
        draft.add("Where", [fires, hidden, zero], output)


def _less_mean(draft: Draft, value: str, last: str, output: str) -> str:
    mean = draft.add("ReduceMean", [value, last], f"{output}.mean", keepdims=1)
    return draft.add("Sub", [value, mean], output)
