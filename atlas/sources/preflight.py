"""Does this model go with these SAEs and this text? Asked before the long run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from atlas.errors import InputError
from atlas.sources.engines.families import FAMILIES

if TYPE_CHECKING:
    import torch

    from atlas.sources.engines.base import Engine
    from atlas.sources.packing import PackedContext
    from atlas.sources.saes.base import SparseCoder

_CONTEXTS = 4
_POOR_VARIANCE = 0.0


def preflight(engine: Engine, saes: Sequence[SparseCoder], contexts: Iterable[PackedContext]) -> list[str]:
    """Check that model, SAEs and text belong together, on at most the first four of `contexts`.

    `InputError` for a hook or width that does not fit, two SAEs with one slug, a tokenizer or token ids
    beyond the model's vocabulary, contexts longer than the model takes, and activations that are not
    finite. Returns sentences about what is only suspicious (nothing fires; the reconstruction is worse
    than the mean), for people; empty when all is well.
    """
    _check_slugs(saes)
    for sae in saes:
        check_pair(engine, sae)
    _check_tokenizer(engine)
    sample = list(islice(contexts, _CONTEXTS))
    if not sample:
        return []
    token_ids = np.stack([context.token_ids for context in sample])
    _check_context_size(engine, token_ids.shape[1])
    _check_token_ids(engine, token_ids)
    return _try_out(engine, saes, token_ids)


def check_pair(engine: Engine, sae: SparseCoder) -> None:
    """`InputError` unless the model has the SAE's hook, with the SAE's width."""
    facts = sae.facts
    width = engine.hook_width(facts.hook_name)
    if width == facts.d_in:
        return
    fitting = [name for name in engine.hook_names() if engine.hook_width(name) == facts.d_in]
    asked = facts.hook_name.rsplit(".", 1)[-1]
    fitting.sort(key=lambda name: name.rsplit(".", 1)[-1] != asked)
    raise InputError(
        f"SAE {facts.slug!r} takes vectors of d_in {facts.d_in}, but {facts.hook_name} of model"
        f" {engine.facts.name!r} gives {width}",
        where=f"saes: {facts.slug}",
        fix=f"hooks with {facts.d_in}: {', '.join(fitting[:3])}"
        if fitting
        else f"no hook of this model has {facts.d_in}: the SAE was trained on another model"
        + (f" ({facts.model_name})" if facts.model_name else ""),
    )


def fit_to_model(engine: Engine, sae: SparseCoder) -> SparseCoder:
    """The SAE as it must be used with this model.

    TransformerLens centres writing weights only in models with LayerNorm, whatever the SAE's metadata
    asks for, so with any other norm the SAE saw inputs that were not centred.
    """
    family = FAMILIES.get(engine.facts.architecture)
    uncentred = getattr(sae, "uncentred", None)
    if uncentred is None or family is None or family.norm_kind == "layer_norm":
        return sae
    return uncentred()


def _check_slugs(saes: Sequence[SparseCoder]) -> None:
    slugs = [sae.facts.slug for sae in saes]
    twice = next((slug for slug in slugs if slugs.count(slug) > 1), None)
    if twice is not None:
        raise InputError(
            f"two SAEs would have the same address {twice!r}",
            where="saes: slug",
            fix="give each its own slug",
        )


def _check_tokenizer(engine: Engine) -> None:
    size, rows = engine.tokens.tokenizer_size, engine.facts.vocabulary_size
    if size > rows:
        raise InputError(
            f"the tokenizer has {size:,} tokens, the model only {rows:,}: it is not this model's tokenizer",
            where="model.name",
            fix="put the tokenizer the model was trained with into its folder",
        )


def _check_context_size(engine: Engine, context_size: int) -> None:
    longest = engine.facts.context_size
    if context_size > longest:
        raise InputError(
            f"contexts of {context_size} tokens are longer than the {longest} the model takes",
            where="corpus.context_size",
            fix=f"set context_size to {longest} or less",
        )


def _check_token_ids(engine: Engine, token_ids: np.ndarray) -> None:
    highest = int(token_ids.max(initial=-1))
    if highest >= engine.facts.vocabulary_size:
        raise InputError(
            f"token id {highest} is beyond the model's vocabulary of {engine.facts.vocabulary_size:,}",
            where="corpus",
            fix="the corpus was tokenised for another model",
        )


def _try_out(engine: Engine, saes: Sequence[SparseCoder], token_ids: np.ndarray) -> list[str]:
    """Run the model and every SAE once; notes on what looks wrong."""
    import torch

    ids = torch.from_numpy(token_ids.astype(np.int64))
    real = (ids >= 0).to(engine.device)
    judged = torch.from_numpy(_text_tokens(engine, token_ids)).to(engine.device)
    hooks = list(dict.fromkeys(sae.facts.hook_name for sae in saes))
    notes: list[str] = []
    with torch.no_grad():
        found = engine.activations(ids, hooks)
        for hook_name, values in found.items():
            _check_finite(engine, hook_name, values[real])
        for sae in saes:
            notes += _judge(sae, found[sae.facts.hook_name][judged])
    return notes


def _text_tokens(engine: Engine, token_ids: np.ndarray) -> np.ndarray:
    """[n, context] True for tokens that are text; for all tokens where none is.

    The activations at BOS are a hundred times larger than all others in many models and would decide
    every figure alone.
    """
    real = token_ids >= 0
    text = real & ~np.isin(token_ids, sorted(engine.tokens.special_ids))
    return text if text.any() else real


def _check_finite(engine: Engine, hook_name: str, values: torch.Tensor) -> None:
    if not bool(values.isfinite().all()):
        raise InputError(
            f"the model's activations at {hook_name} are not all finite in {engine.facts.dtype}",
            where="model.dtype",
            fix="set dtype: float32"
            if engine.facts.dtype != "float32"
            else "the model's weights are damaged",
        )


def _judge(sae: SparseCoder, inputs: torch.Tensor) -> list[str]:
    """Notes on one SAE over `inputs` [n, d_in]."""
    facts = sae.facts
    activations = sae.encode(inputs)
    if not bool((activations > 0).any()):
        return [f"SAE {facts.slug}: no feature fires on the first {len(inputs)} tokens"]
    if facts.hook_name_out:
        return []
    error = (inputs - sae.reconstruct(inputs, activations)).pow(2).sum()
    total = (inputs - inputs.mean(dim=0)).pow(2).sum()
    explained = 1 - float(error / total) if float(total) else 0.0
    if explained >= _POOR_VARIANCE:
        return []
    note = (
        f"SAE {facts.slug}: its reconstruction is worse than the mean (explained variance {explained:.2f} on"
        f" the first {len(inputs)} tokens): is this the model, hook and input scale it was trained with?"
    )
    return [note]
