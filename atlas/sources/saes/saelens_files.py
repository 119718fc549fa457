"""What is wrong with a SAELens folder or configuration, found before sae-lens reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from atlas.errors import DiskError, InputError

CONFIG_FILE = "cfg.json"
WEIGHTS_FILE = "sae_weights.safetensors"
SCALER_FILE = "activation_scaler.json"
"""Written beside a training checkpoint: the factor its inputs were multiplied by."""

ARCHITECTURES = (
    "standard",
    "gated",
    "topk",
    "jumprelu",
    "matching_pursuit",
    "transcoder",
    "skip_transcoder",
    "jumprelu_transcoder",
    "jumprelu_skip_transcoder",
)
"""SAELens architectures that can be shown."""

REFUSED = {
    "batchtopk": "is a training checkpoint: its k is shared by a whole batch, so it cannot encode one token",
    "matryoshka_batchtopk": "is a training checkpoint: its k is shared by a whole batch, so it cannot encode"
    " one token",
    "temporal": "has features that depend on all earlier tokens, not on one activation vector",
    "abstopk": "has features that fire with both signs, of which dashboards of activations > 0 show half",
}
"""SAELens architectures that cannot be shown → why."""

_CONVERT = "convert it with SAELens: sae.save_inference_model(folder) writes it as a jumprelu SAE"
_PICKLES = (".pt", ".pth", ".pkl", ".bin", ".ckpt")


def read_folder(folder: Path, where: str) -> dict[str, Any]:
    """The checked `cfg.json` of an SAE folder that also has its weights; `InputError` for anything else."""
    _require_files(folder, where)
    try:
        config = json.loads((folder / CONFIG_FILE).read_bytes())
    except OSError as error:
        raise DiskError(f"{CONFIG_FILE} cannot be read: {error.strerror}", where=str(folder)) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{CONFIG_FILE} is not valid JSON: {error}",
            where=str(folder / CONFIG_FILE),
            fix="save the SAE again",
        ) from error
    if not isinstance(config, dict):
        raise InputError(
            f"{CONFIG_FILE} holds a {type(config).__name__}, not an object", where=str(folder / CONFIG_FILE)
        )
    check_config(config, str(folder / CONFIG_FILE))
    return config


def check_config(config: dict[str, Any], where: str) -> None:
    """`InputError` for an architecture that cannot be shown or that sae-lens would misread."""
    architecture = config.get("architecture", "standard")
    if architecture in REFUSED:
        fix = _CONVERT if "batchtopk" in architecture else "use an SAE of another architecture"
        raise InputError(f"this SAE ({architecture}) {REFUSED[architecture]}", where=where, fix=fix)
    if architecture not in ARCHITECTURES:
        raise InputError(
            f"unknown SAE architecture {architecture!r}",
            where=where,
            fix=f"known: {', '.join(ARCHITECTURES)}",
        )
    # sae-lens reads any activation function of an old configuration as ReLU without a word.
    activation = config.get("activation_fn", config.get("activation_fn_str", "relu"))
    if activation not in {"relu", "topk"}:
        raise InputError(
            f"the SAE's activation function {activation!r} is not one that SAELens still runs",
            where=where,
            fix="use an SAE with relu, jumprelu or topk",
        )


def scaling_hint(folder: Path | None) -> str:
    """The factor a training run left beside its checkpoint, as a sentence; empty if there is none."""
    path = folder / SCALER_FILE if folder else None
    if path is None or not path.is_file():
        return ""
    try:
        factor = float(json.loads(path.read_bytes())["scaling_factor"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f" ({SCALER_FILE} in its folder says {factor:g})"


def _require_files(folder: Path, where: str) -> None:
    if not folder.is_dir():
        raise InputError(
            f"there is no SAE folder {where!r}", where="saes: folder", fix=f"looked for {folder}"
        )
    missing = [name for name in (CONFIG_FILE, WEIGHTS_FILE) if not (folder / name).is_file()]
    if not missing:
        return
    raise InputError(
        f"SAE folder {where!r} has no {' and no '.join(missing)}", where="saes: folder", fix=_way_out(folder)
    )


def _way_out(folder: Path) -> str:
    inside = sorted(path for path in folder.iterdir())
    nested = [path.parent.name for path in sorted(folder.glob(f"*/{CONFIG_FILE}"))][:3]
    if nested:
        return f"its subfolder {' or '.join(map(repr, nested))} has one: name that"
    pickles = [path.name for path in inside if path.suffix in _PICKLES]
    if pickles:
        return (
            f"{pickles[0]} is a pickle, which can run code and is never loaded:"
            f" save the SAE with SAELens as {CONFIG_FILE} and {WEIGHTS_FILE}"
        )
    return f"save it with SAELens: sae.save_model(folder) writes {CONFIG_FILE} and {WEIGHTS_FILE}"
