"""SAEs through sae-lens: a folder, a Hub repository, or a release of its registry.

sae-lens loads some SAEs wrongly without a word (an unfolded input scale, an unfolded whitening, a
missing hook that reads as None). Each of those is refused here, with the way out.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas.errors import AtlasError, InputError, suggest
from atlas.sources.engines.families import split_hook
from atlas.sources.engines.loading import hash_files, hash_tensors
from atlas.sources.saes.base import SaeFacts
from atlas.sources.saes.coder import TRANSCODERS, SaeLensCoder
from atlas.sources.saes.saelens_files import WEIGHTS_FILE, check_config, read_folder, scaling_hint
from atlas.text import slugify

if TYPE_CHECKING:
    import torch

    from atlas.config import SaeConfig

_SCALED = "expected_average_only_in"
_WHITENED = "covariance_whitening"
_RESIDUAL_WRITES = {"hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out"}


@dataclass
class _Found:
    """A module that sae-lens has loaded, and how it was found."""

    sae: Any
    name: str
    """Its own id: sae_id, folder or repository name."""
    source: dict[str, str]
    where: str
    """For errors."""
    folder: Path | None = None
    """Its files, if they are in one folder."""
    folds: dict[str, str] = field(default_factory=dict[str, str])
    """What sae-lens folded while loading."""
    card: dict[str, float] = field(default_factory=dict[str, float])
    """What sae-lens' registry says was measured of it."""


def open_saelens(config: SaeConfig, device: torch.device | str) -> SaeLensCoder:
    """The SAE that `config` names, in float32 on `device`; `InputError` if it cannot be used as it is."""
    with _reported(config):
        if config.folder is not None:
            found = _from_folder(Path(config.folder), {"folder": config.folder}, str(device))
        elif config.repo is not None:
            found = _from_repository(config.repo, config.sae_id, config.revision, str(device))
        elif config.release is not None and config.sae_id is not None:
            found = _from_release(config.release, config.sae_id, str(device))
        else:
            raise InputError("an SAE needs a folder, a repo, or a release with sae_id", where="saes")
        _fold_scale(found, config)
    _check_weights(found)
    facts = _facts(found, config)
    return SaeLensCoder(found.sae, facts, centred="centring" in facts.folds)


@contextmanager
def _reported(config: SaeConfig) -> Iterator[None]:
    """Turn whatever sae-lens raises while loading into an `InputError`."""
    name = config.folder or config.repo or f"{config.release} {config.sae_id}"
    try:
        with warnings.catch_warnings():
            # Its advice on how to load the model: followed here (centring), or of no effect.
            warnings.filterwarnings("ignore", category=UserWarning, module=r"sae_lens|atlas")
            yield
    except AtlasError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"the SAE {name!r} cannot be loaded: {reason}",
            where="saes",
            fix="its cfg.json and weights do not belong together, or a file is damaged: save it again"
            if config.folder
            else "check name and revision on the Hub, and the network; or download it and give the folder",
        ) from error


def _from_folder(folder: Path, source: dict[str, str], device: str) -> _Found:
    from sae_lens import SAE

    typed = source.get("folder", str(folder))
    read_folder(folder, typed)
    sae = SAE.load_from_disk(folder, device=device, dtype="float32")
    return _Found(sae, folder.resolve().name, source, typed, folder)


def _from_repository(repo: str, sae_id: str | None, revision: str | None, device: str) -> _Found:
    from huggingface_hub import snapshot_download

    _refuse_registered(repo)
    inside = f"{sae_id.strip('/')}/" if sae_id else ""
    wanted = [f"{inside}*.json", f"{inside}{WEIGHTS_FILE}"]
    snapshot = snapshot_download(repo, revision=revision, allow_patterns=wanted)
    source = {"repo": repo, "commit": Path(snapshot).name} | ({"sae_id": sae_id} if sae_id else {})
    found = _from_folder(Path(snapshot) / inside, source, device)
    found.name, found.where = sae_id or repo.rsplit("/", 1)[-1], f"{repo} {sae_id or ''}".strip()
    return found


def _refuse_registered(repo: str) -> None:
    """A repository whose SAEs need settings that only the registry has must be loaded by release."""
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    for release, entry in get_pretrained_saes_directory().items():
        overrides = set(entry.config_overrides or {}) - {"dataset_path", "neuronpedia_id"}
        if entry.repo_id == repo and (overrides or entry.norm_scaling_factor or entry.conversion_func):
            raise InputError(
                f"the SAEs of {repo!r} need settings that only SAELens' registry has",
                where="saes: repo",
                fix=f"use release: {release} with sae_id, e.g. {next(iter(entry.saes_map))}",
            )


def _from_release(release: str, sae_id: str, device: str) -> _Found:
    from sae_lens import SAE
    from sae_lens.loading.pretrained_sae_loaders import load_sae_config_from_huggingface
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    directory = get_pretrained_saes_directory()
    if release not in directory:
        raise InputError(
            f"SAELens has no release {release!r}", where="saes: release", fix=suggest(release, directory)
        )
    entry = directory[release]
    if sae_id not in entry.saes_map:
        raise InputError(
            f"release {release!r} has no SAE {sae_id!r}",
            where="saes: sae_id",
            fix=suggest(sae_id, entry.saes_map),
        )
    as_trained = load_sae_config_from_huggingface(release, sae_id, device=device)
    check_config(as_trained, f"{release} {sae_id}")
    sae = SAE.from_pretrained(release, sae_id, device=device, dtype="float32")
    source = {"release": release, "sae_id": sae_id, "repo": entry.repo_id}
    l0 = entry.expected_l0.get(sae_id)
    found = _Found(sae, sae_id, source, f"{release} {sae_id}", card={"l0": l0} if l0 else {})
    factor = entry.norm_scaling_factor.get(sae_id)
    if as_trained.get("normalize_activations") == _SCALED and factor is not None:
        found.folds["input_scale"] = _scale_words(found, factor, "SAELens' registry")
    return found


def _fold_scale(found: _Found, config: SaeConfig) -> None:
    """Fold the training's input scale into the weights, or refuse an SAE whose scale is not known."""
    sae, factor = found.sae, config.norm_scaling_factor
    normalisation = sae.cfg.normalize_activations
    if normalisation == _WHITENED:
        raise InputError(
            "the SAE expects whitened inputs, and its whitening is not folded into the weights:"
            " every activation would be wrong",
            where=found.where,
            fix="fold it with SAELens (fold_activation_whitening, with the training statistics) and save it",
        )
    if normalisation != _SCALED:
        if factor is not None:
            raise InputError(
                f"norm_scaling_factor is given, but this SAE wants no scaled inputs ({normalisation!r},"
                " or its scale is folded already)",
                where=found.where,
                fix="remove norm_scaling_factor",
            )
        return
    if factor is None or sae.cfg.architecture() in TRANSCODERS:
        raise InputError(
            f"the SAE was trained on scaled inputs ({_SCALED}), and the scale is not folded into its weights:"
            " every activation would be wrong",
            where=found.where,
            fix="give saes: norm_scaling_factor, the factor its training multiplied the inputs by"
            + scaling_hint(found.folder),
        )
    sae.fold_activation_norm_scaling_factor(factor)
    found.folds["input_scale"] = _scale_words(found, factor, "norm_scaling_factor")


def _scale_words(found: _Found, factor: float, origin: str) -> str:
    words = (
        f"inputs were multiplied by {factor:.9g} in training; folded: W_enc times, W_dec and b_dec divided by"
        f" it (factor from {origin})"
    )
    rescaled = getattr(found.sae.cfg, "rescale_acts_by_decoder_norm", False)
    if rescaled or found.sae.cfg.architecture() == "matching_pursuit":
        words += "; activations are therefore those of training divided by it"
    return words


def _check_weights(found: _Found) -> None:
    if not found.sae.W_dec.shape[0]:
        raise InputError("the SAE has no features (d_sae 0)", where=found.where, fix="use another SAE")
    for name, tensor in found.sae.state_dict().items():
        if not bool(tensor.isfinite().all()):
            raise InputError(
                f"the SAE's {name} has values that are not numbers (NaN or infinite)",
                where=found.where,
                fix="its training diverged or the file is damaged: use another checkpoint",
            )
    k, d_sae = getattr(found.sae.cfg, "k", None), found.sae.W_dec.shape[0]
    if k is not None and not 1 <= k <= d_sae:
        raise InputError(
            f"the SAE keeps the {k} largest of its {d_sae:,} features on a token (k {k})",
            where=found.where,
            fix=f"correct k in its cfg.json: 1 to {d_sae}, as it was trained",
        )
    if found.sae.cfg.metadata.hook_head_index is not None:
        raise InputError(
            "the SAE reads a single attention head (hook_head_index), which no engine of atlas offers",
            where=found.where,
            fix="use an SAE trained on attn.hook_z as a whole",
        )


def _facts(found: _Found, config: SaeConfig) -> SaeFacts:
    sae = found.sae
    metadata = sae.cfg.metadata
    architecture = str(sae.cfg.architecture())
    hook_name = config.hook_name or metadata.hook_name
    if not hook_name:
        raise InputError(
            "the SAE's metadata does not say at which hook it reads",
            where=found.where,
            fix="set saes: hook_name, e.g. hook_name: blocks.8.hook_resid_pre",
        )
    bos = config.prepend_bos if config.prepend_bos is not None else metadata.prepend_bos
    return SaeFacts(
        title=config.title or found.name,
        slug=config.slug or slugify(found.name),
        architecture=architecture,
        hook_name=hook_name,
        hook_name_out=(metadata.hook_name_out or "unknown") if architecture in TRANSCODERS else "",
        d_in=int(sae.W_enc.shape[0]),
        d_sae=int(sae.W_enc.shape[1]),
        dtype="float32",
        model_name=str(metadata.model_name or ""),
        prepend_bos=True if bos is None else bool(bos),
        context_size=int(metadata.context_size or 0),
        weights_sha256=_weights_sha256(found),
        source=found.source,
        folds=found.folds | _centring(metadata, hook_name),
        metadata=json.loads(json.dumps(metadata.to_dict(), default=str)) | found.card,
    )


def _centring(metadata: Any, hook_name: str) -> dict[str, str]:
    kwargs = metadata.model_from_pretrained_kwargs or {}
    place = split_hook(hook_name)
    if not kwargs.get("center_writing_weights") or place is None or place[1] not in _RESIDUAL_WRITES:
        return {}
    return {
        "centring": "each input's mean over its d_in values is subtracted: the SAE was trained on a model"
        " with center_writing_weights"
    }


def _weights_sha256(found: _Found) -> str:
    if found.folder is not None:
        return hash_files([found.folder / WEIGHTS_FILE])
    return hash_tensors(found.sae.state_dict())
