"""Steering as ONNX nodes: what is added to the tensor at an SAE's hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas.export.onnx.surgery import Draft, Port

if TYPE_CHECKING:
    from atlas.export.onnx.encoder import Encoder

MEASURED = "measured"


def steering_inputs(d_out: int) -> list[Port]:
    """What says how to steer, as `SaeGraphs.steer` describes it; k features at once."""
    return [
        Port("features", ("k",), "int64"),
        Port("directions", ("k", d_out)),
        *(Port(name, ("k",)) for name in ("add", "target", "clamp")),
        Port("mask", ("batch", "sequence")),
    ]


def steering(encoder: Encoder, value: str, output: str) -> Draft:
    """From the tensor `value` where the SAE reads: `measured`, and as `output` what to add where it writes.

    output = mask * scale * sum over k of ((clamp * (target - measured) + add) * direction).
    """
    draft = Draft()
    prepared = encoder.prepare(draft, value)
    encoder.some_features(draft, prepared.inputs, "features", MEASURED)
    missing = draft.add("Sub", ["target", MEASURED], "steer.missing")
    set_to = draft.add("Mul", [missing, "clamp"], "steer.set")
    change = draft.add("Add", [set_to, "add"], "steer.change")
    written = draft.add("MatMul", [change, "directions"], "steer.written")
    last = draft.constant("sae.last", [-1])
    amount = draft.add("Unsqueeze", ["mask", last], "steer.mask")
    if prepared.scale is not None:
        amount = draft.add("Mul", [amount, prepared.scale], "steer.amount")
    draft.add("Mul", [written, amount], output)
    return draft
