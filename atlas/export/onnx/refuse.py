"""What cannot be exported, told by name before anything slow."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from atlas.errors import InputError
from atlas.export.onnx.trunk import MASKS
from atlas.sources.saes.base import Portable

if TYPE_CHECKING:
    from atlas.sources.engines.base import Engine
    from atlas.sources.saes.base import SparseCoder

LIBRARIES = ("onnx", "onnxscript", "onnxruntime")
"""What the export needs besides torch: to write graphs, and to compare them with it."""

_SWITCH = "set browser_model: false"


def refuse_unexportable(engine: Engine, saes: Sequence[SparseCoder]) -> None:
    """`InputError` unless this model with these SAEs can be exported; takes no time.

    Refused are: a missing library, an engine other than `transformers`, an architecture outside `MASKS`, an
    SAE whose encoder is no formula (matching pursuit, or one of another library), and an SAE that writes
    before it reads.
    """
    refuse_missing_libraries()
    facts = engine.facts
    if facts.engine != "transformers":
        raise InputError(
            f"a model of engine {facts.engine} cannot be exported to ONNX",
            where="model.engine",
            fix=f"set engine: transformers, or {_SWITCH}",
        )
    if facts.architecture not in MASKS:
        raise InputError(
            f"architecture {facts.architecture!r} cannot be exported to ONNX;"
            f" what can is {', '.join(sorted(MASKS))}",
            where="model.name",
            fix=_SWITCH,
        )
    order = engine.hook_names()
    for sae in saes:
        _refuse_sae(sae, order)


def refuse_missing_libraries() -> None:
    """`InputError` unless all that the export needs is installed."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise InputError(
            f"exporting a model to ONNX needs {' and '.join(missing)}",
            where="browser_model",
            fix=f"pip install 'feature-atlas[onnx]', or {_SWITCH}",
        )


def _refuse_sae(sae: SparseCoder, order: Sequence[str]) -> None:
    facts = sae.facts
    where = f"saes: {facts.slug}"
    if not isinstance(sae, Portable) or facts.architecture == "matching_pursuit":
        raise InputError(
            f"SAE {facts.slug!r} cannot be exported to ONNX: the encoder of architecture"
            f" {facts.architecture} is no formula",
            where=where,
            fix=f"leave this SAE out, or {_SWITCH}",
        )
    written = facts.hook_name_out or facts.hook_name
    if order.index(written) < order.index(facts.hook_name):
        raise InputError(
            f"SAE {facts.slug!r} writes at {written}, before it reads at {facts.hook_name}",
            where=where,
            fix="check hook_name and hook_name_out in its cfg.json",
        )
