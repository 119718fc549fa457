"""Does this model go with these SAEs and this text? Asked before the long run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from atlas.errors import InputError
from atlas.sources.engines.families import FAMILIES
from atlas.sources.trials import Fit, Way, as_configured, measure, other_ways, text_values, try_ways

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from atlas.sources.engines.base import Engine
    from atlas.sources.packing import PackedContext
    from atlas.sources.saes.base import SaeFacts, SparseCoder

_NAMED_L0 = re.compile(r"average_l0_(\d+)")

SAMPLE_TOKENS = 2048
"""Tokens on which every SAE is tried, in whole contexts …"""

SCREEN_TOKENS = 256
"""… and on which other ways of using it are; the best of them is then tried on all."""

VERDICT_TOKENS = 1000
"""On fewer tokens of text the figures are too uncertain to stop a build: they are only told."""

MUCH_BETTER, BETTER = 0.7, 0.9
"""The build stops where another way leaves at most this share of the unexplained variance of the configured
one, and explains `LEAST_GAIN` more; below the second share it is told. Right pairs measured 0.99 and more
(another input scale that makes no difference) or 1.14 and more (any other place), wrong ones mostly 0.2 to
0.6, and up to 0.8 half a layer away."""

LEAST_GAIN = 0.1
"""Explained variance that another way must gain, so that a nearly perfect fit is never called wrong."""

MOST_FIRING = 0.5
"""An SAE of which a larger share of features fires on a token is not sparse."""

CARD_FACTOR = 3.0
"""An L0 so many times that of the SAE's card, or a fraction, is not the same SAE on the same tensor."""


def preflight(
    engine: Engine,
    saes: Sequence[SparseCoder],
    contexts: Iterable[PackedContext],
    *,
    force: bool = False,
) -> list[str]:
    """Check that model, SAEs and text belong together, on the first `SAMPLE_TOKENS` tokens of `contexts`.

    `InputError` for a hook or width that does not fit, two SAEs with one slug, a tokenizer or token ids
    beyond the model's vocabulary, contexts longer than the model takes, and activations that are not
    finite. Then every SAE is tried as configured and in other ways (`atlas.sources.trials`): `InputError`
    where nothing or almost everything fires, where it reconstructs worse than the mean, where it
    reconstructs much better in another way, or where its L0 is far from its card's. With `force` these
    are told instead.

    Returns sentences about what is suspicious, one an SAE, each beginning with `SAE <slug>: `; empty when
    all is well.
    """
    _check_slugs(saes)
    for sae in saes:
        check_pair(engine, sae)
    _check_tokenizer(engine)
    contexts = iter(contexts)
    sample = list(islice(contexts, 1))
    if not sample:
        return []
    context_size = len(sample[0].token_ids)
    _check_context_size(engine, context_size)
    sample += islice(contexts, ceil(SAMPLE_TOKENS / context_size) - 1)
    token_ids = np.stack([context.token_ids for context in sample])
    _check_token_ids(engine, token_ids)
    if not saes:
        return []
    configured = [as_configured(engine, sae) for sae in saes]
    values = text_values(engine, token_ids, [hook for way in configured for hook in way.hooks])
    _check_finite(engine, values)
    found = (
        _judged(engine, sae, way, values, token_ids, force=force)
        for sae, way in zip(saes, configured, strict=True)
    )
    return [note for note in found if note]


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


def _check_finite(engine: Engine, values: dict[str, torch.Tensor]) -> None:
    for hook_name, found in values.items():
        if not bool(found.isfinite().all()):
            raise InputError(
                f"the model's activations at {hook_name} are not all finite in {engine.facts.dtype}",
                where="model.dtype",
                fix="set dtype: float32"
                if engine.facts.dtype != "float32"
                else "the model's weights are damaged",
            )


def _judged(
    engine: Engine,
    sae: SparseCoder,
    way: Way,
    values: dict[str, torch.Tensor],
    token_ids: NDArray[np.int32],
    *,
    force: bool,
) -> str:
    """What is suspicious about one SAE used as configured; empty if nothing is.

    `InputError` where the build must stop.
    """
    slug = sae.facts.slug
    fit = measure(sae, way, values)
    _require_usable(engine, sae, way, fit)
    best = _best(engine, sae, way, fit, values, token_ids)
    reason = _reason(sae, fit, best)
    told = f"{fit.words()} on {fit.n_tokens:,} tokens {way.words}"
    advice = "is this the model, hook and input scale it was trained with?"
    if best is not None:
        told, advice = f"{told}; {best[1].words()} {best[0].words}", best[0].advice
    if not reason:
        return f"SAE {slug}: {told}: {advice}" if best is not None else ""
    if force or fit.n_tokens < VERDICT_TOKENS:
        return f"SAE {slug}: {reason}: {told}: {advice}"
    raise InputError(
        f"SAE {slug}: {reason}: {told}",
        where=f"saes: {slug}",
        fix=f"{advice} (to build it as it is, with pages that say so: --force)",
    )


def _require_usable(engine: Engine, sae: SparseCoder, way: Way, fit: Fit) -> None:
    """`InputError` for a reconstruction that is not finite, or of another width than where it belongs."""
    if not fit.finite:
        raise InputError(
            f"SAE {sae.facts.slug}: its reconstruction is not finite (NaN or infinity)",
            where=f"saes: {sae.facts.slug}",
            fix="its weights are damaged, or its inputs are on quite another scale than it was trained on",
        )
    width = fit.width
    if way.target is not None and width != engine.hook_width(way.target):
        raise InputError(
            f"SAE {sae.facts.slug} writes vectors of {width}, but {way.target} of model"
            f" {engine.facts.name!r} has {engine.hook_width(way.target)}",
            where=f"saes: {sae.facts.slug}",
            fix="the SAE was trained on another model, or its metadata names the wrong hook_name_out",
        )


def _best(  # noqa: PLR0917 - what is tried on what
    engine: Engine,
    sae: SparseCoder,
    configured: Way,
    fit: Fit,
    values: dict[str, torch.Tensor],
    token_ids: NDArray[np.int32],
) -> tuple[Way, Fit] | None:
    """The best other way of using the SAE, if it is clearly better than as configured."""
    if fit.explained_variance is None:
        return None
    ways = other_ways(engine, sae, values[configured.hook_name])
    few = token_ids[: ceil(SCREEN_TOKENS / token_ids.shape[1])]
    here, *others = try_ways(engine, sae, [configured, *ways], few)
    screened, way = min(zip(others, ways, strict=True), key=lambda pair: pair[0].unexplained)
    if screened.unexplained > BETTER * here.unexplained:
        return None
    (found,) = try_ways(engine, sae, [way], token_ids)
    return (way, found) if found.unexplained < min(1, BETTER * fit.unexplained) else None


def _reason(sae: SparseCoder, fit: Fit, best: tuple[Way, Fit] | None) -> str:
    """Why the build must stop; empty if it need not."""
    if not fit.l0:
        return "no feature fires"
    if fit.l0 > MOST_FIRING * sae.facts.d_sae:
        return f"more than {MOST_FIRING:.0%} of its features fire on a token"
    if fit.explained_variance is not None and fit.explained_variance < 0:
        return "it reconstructs worse than the mean would"
    if best is not None and best[1].unexplained <= min(
        MUCH_BETTER * fit.unexplained, fit.unexplained - LEAST_GAIN
    ):
        return "it reconstructs another tensor much better"
    card = card_l0(sae.facts)
    if card and not card / CARD_FACTOR <= fit.l0 <= card * CARD_FACTOR:
        return f"its own card says L0 {card:g}"
    return ""


def card_l0(facts: SaeFacts) -> float | None:
    """The L0 that the SAE's own metadata or its name (`average_l0_71`) states, if any."""
    stated = facts.metadata.get("l0")
    if isinstance(stated, int | float) and stated > 0:
        return float(stated)
    named = next((found for text in facts.source.values() if (found := _NAMED_L0.search(text))), None)
    return float(named[1]) if named else None
