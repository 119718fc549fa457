"""The feature pages of one SAE."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from atlas.render.briefs import Briefs
from atlas.render.contexts import FeaturePage
from atlas.render.dataset import FIRING_COLUMN, MAX_COLUMN, TOKENS_COLUMN, Block, OncePerRead, SaeData
from atlas.render.frames import Frames, feature_href, feature_path
from atlas.render.numbers import decimal, exact, integer, one_in, percent, ratio
from atlas.render.panels import ScalarRow, scalar_rows
from atlas.render.strips import Shown, entries, shown, strip
from atlas.render.views import (
    BadgeView,
    BriefExample,
    ExampleView,
    ExplanationView,
    FiringView,
    Head,
    Link,
    NeighbourView,
)
from atlas.schema import DENSE
from atlas.stats.ragged import row_bounds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from atlas.render.cards import CardPlans
    from atlas.render.strips import Words
    from atlas.render.windows import Vocabulary, Window

NEIGHBOURS_COLUMN = "neighbours"
DUPLICATE = 0.95
"""Cosine of two decoder directions from which features are called duplicates of one another."""

MAIN_NUMBERS = (
    MAX_COLUMN,
    "mean_activation",
    "top_token_share",
    "token_entropy",
    "encoder_decoder_cosine",
)
"""Scalar columns that a page shows without JavaScript, those that exist."""

_BADGE_COLUMNS = (FIRING_COLUMN, "activation_density", "density_lower", "density_upper", "single_token")
_RAISED, _LOWERED = "positive_logits", "negative_logits"
_RARE = 0.5
_TITLE_TOKENS = 3
_WORDS = 5
_NEIGHBOURS = 5
_BEFORE, _AFTER = 7, 5
_SHORT_TITLE = 40
_REMEMBERED = 1 << 16


@dataclass(frozen=True)
class Explanations:
    """The explanations of one SAE."""

    texts: list[str]
    """[n_features] empty where there is none."""
    methods: list[str]
    """[n_features] how each was made."""
    scores: list[float | None]
    """[n_features] None where not scored."""
    score_names: list[str]
    """[n_features] what the score measures."""

    @classmethod
    def read(cls, rows: pa.Table | None, n_features: int) -> Explanations:
        """From the table explanations, which may lack features or be absent."""
        columns = {name: [""] * n_features for name in ("text", "method", "score_name")}
        scores: list[float | None] = [None] * n_features
        if rows is not None:
            features = rows["feature_idx"].to_pylist()
            for name, target in columns.items():
                for feature, value in zip(features, rows[name].to_pylist(), strict=True):
                    target[feature] = value or ""
            for feature, score in zip(features, rows["score"].to_pylist(), strict=True):
                scores[feature] = score
        return cls(columns["text"], columns["method"], scores, columns["score_name"])

    def facts(self, start: int, stop: int) -> list[tuple[str, str, str, str]]:
        """(text, method, score in full, what it measures) of the features start <= feature_idx < stop."""
        part = slice(start, stop)
        scores = ["" if score is None else exact(score) for score in self.scores[part]]
        return list(zip(self.texts[part], self.methods[part], scores, self.score_names[part], strict=True))

    def title(self, feature_idx: int, most: int = 0) -> Shown:
        """The explanation, or `feature 12` where there is none; with `most`, cut to so many letters."""
        known = 0 <= feature_idx < len(self.texts)
        text = (self.texts[feature_idx] if known else "") or f"feature {feature_idx}"
        return shown(f"{text[: most - 1]}…" if 0 < most < len(text) else text)


class _Facts(NamedTuple):
    """What the page of a feature is made of."""

    values: dict[str, Any]
    """Column → the feature's value."""
    lists: dict[str, list[tuple[Any, ...]]]
    """Column of a list → its first entries."""
    numbers: tuple[ScalarRow, ...]
    """Its main numbers."""
    examples: tuple[BriefExample, ...]
    """Its strongest examples."""


class FeaturePages:
    """Makes the `FeaturePage` of any feature of one SAE."""

    def __init__(
        self,
        frames: Frames,
        data: SaeData,
        plans: CardPlans,
        *,
        vocabulary: Vocabulary,
        words: Words,
        documents: Sequence[str],
        explanations: Explanations,
        static_examples: int,
        features_per_shard: int,
    ) -> None:
        self._frames = frames
        self._data = data
        self._vocabulary = vocabulary
        self._documents = [shown(name) for name in documents]
        self._explanations = explanations
        self._plans = plans
        self._static_examples = static_examples
        self._features_per_shard = features_per_shard
        self._word = words
        # The same neighbours stand on many pages.
        self._short_title = lru_cache(_REMEMBERED)(self._shown_title)
        self._n_tokens = int(frames.manifest.stream.get("n_tokens", 0) or 0)
        self._numbers = [data.columns[name] for name in MAIN_NUMBERS if name in data.columns]
        used = {*_BADGE_COLUMNS, *MAIN_NUMBERS} | plans.kept_columns
        self._used = sorted(used & data.columns.keys())
        heads = ((name, _WORDS) for name in (TOKENS_COLUMN, _RAISED, _LOWERED))
        wanted = (*heads, (NEIGHBOURS_COLUMN, _NEIGHBOURS))
        self._lists = {name: most for name, most in wanted if name in data.columns}
        self._briefs = Briefs(vocabulary, _BEFORE, _AFTER)
        self._facts = OncePerRead(self._read_facts)

    def _read_facts(self, read: Block) -> list[_Facts]:
        """What the pages of all features of a read are made of."""
        columns = [read.values[name] for name in self._used]
        values = [dict(zip(self._used, row, strict=True)) for row in zip(*columns, strict=True)]
        heads = [read.raw[name].heads(most) for name, most in self._lists.items()]
        lists = [dict(zip(self._lists, row, strict=True)) for row in zip(*heads, strict=True)]
        rows = [scalar_rows(info, read.values[info.name]) for info in self._numbers]
        scalars = list(zip(*rows, strict=True)) or [()] * read.size
        numbers, counts = read.windows.all_tops(self._static_examples)
        activations: list[float] = read.windows.activation[numbers].tolist()
        lines = self._briefs.lines(read.windows, numbers)
        examples = [
            BriefExample(decimal(value), line) for value, line in zip(activations, lines, strict=True)
        ]
        bounds: list[int] = row_bounds(counts).tolist()
        return [
            _Facts(
                values[at] if values else {},
                lists[at] if lists else {},
                scalars[at],
                tuple(examples[first:last]),
            )
            for at, (first, last) in enumerate(pairwise(bounds))
        ]

    def page(self, block: Block, feature_idx: int) -> FeaturePage:
        """The page of a feature of `block`."""
        values, lists, numbers, examples = self._facts(block)[feature_idx - block.read.start]
        firing = firing_view(values, self._n_tokens)
        slug, last = self._data.slug, self._data.n_features - 1
        thousand = feature_idx // 1000 * 1000
        return FeaturePage(
            head=self._head(feature_idx, lists.get(TOKENS_COLUMN, ()), firing),
            feature_idx=feature_idx,
            sae=self._frames.saes[slug],
            thousand=f"{thousand}\N{EN DASH}{min(thousand + 999, last)}",
            heading=self._heading(feature_idx, values),
            explanation=self._explanation(feature_idx),
            firing=firing,
            badges=badges(values, lists.get(NEIGHBOURS_COLUMN, ()), feature_idx),
            examples=examples,
            nothing=() if examples else nothing_to_show(values, self._n_tokens),
            tokens=self._words(lists.get(TOKENS_COLUMN, ())),
            raised=self._words(lists.get(_RAISED, ())),
            lowered=self._words(lists.get(_LOWERED, ())),
            neighbours=self._neighbours(feature_idx, lists.get(NEIGHBOURS_COLUMN, ())),
            numbers=numbers,
            cards=self._plans.cards(values),
            previous=_link(feature_idx, feature_idx - 1) if feature_idx else None,
            following=_link(feature_idx, feature_idx + 1) if feature_idx < last else None,
            shard=f"data/{slug}/features/{feature_idx // self._features_per_shard}.js",
        )

    def _words(self, found: Sequence[tuple[int, int, float]]) -> Shown:
        """The first tokens of a list."""
        return entries([self._word[entry[0]] for entry in found])

    def _neighbours(self, feature_idx: int, found: Sequence[tuple[int, float]]) -> tuple[NeighbourView, ...]:
        title = self._short_title
        return tuple(
            [
                NeighbourView(feature_href(feature_idx, other), title(other), decimal(value, 2))
                for other, value, *_ in found
            ]
        )

    def _shown_title(self, feature_idx: int) -> Shown:
        return self._explanations.title(feature_idx, _SHORT_TITLE)

    def example(self, window: Window, largest: float) -> ExampleView:
        """A window of the corpus with its heat, `largest` being the feature's largest activation."""
        known = 0 <= window.document_idx < len(self._documents)
        return ExampleView(
            activation=decimal(window.activation),
            exact=exact(window.activation),
            document=self._documents[window.document_idx] if known else shown(""),
            strip=strip(window.pieces, window.heat, window.peak, largest),
        )

    def _head(
        self, feature_idx: int, top_tokens: Sequence[tuple[int, int, float]], firing: FiringView
    ) -> Head:
        slug, frames = self._data.slug, self._frames
        text = self._explanations.texts[feature_idx] or f"Feature {feature_idx}"
        tokens = [self._vocabulary.text(entry[0]).strip() for entry in top_tokens]
        named = ", ".join(f"“{token}”" for token in [token for token in tokens if token][:_TITLE_TOKENS])
        most = f", most often on {named}" if named else ""
        return frames.head(
            "feature",
            feature_path(slug, feature_idx),
            f"{text[:100]} · {slug}/{feature_idx}",
            f"Feature {feature_idx} of {self._data.entry.title}: {firing.phrase}{most}.",
            sae_slug=slug,
            feature_idx=feature_idx,
            headline=text,
        )

    def _heading(self, feature_idx: int, values: Mapping[str, Any]) -> Shown:
        text = self._explanations.texts[feature_idx]
        if text:
            return shown(text)
        dead = ", which never fired" if is_dead(values) else ""
        return shown(f"Feature {feature_idx}{dead}")

    def _explanation(self, feature_idx: int) -> ExplanationView | None:
        if not self._explanations.texts[feature_idx]:
            return None
        score = self._explanations.scores[feature_idx]
        return ExplanationView(
            method=shown(self._explanations.methods[feature_idx] or "explanation"),
            score="" if score is None else decimal(score, 2),
            score_name=shown(self._explanations.score_names[feature_idx] or "score"),
        )


def _link(here: int, there: int) -> Link:
    return Link(feature_href(here, there), str(there))


def is_dead(values: Mapping[str, Any]) -> bool:
    """Whether the feature is known never to have fired."""
    return values.get(FIRING_COLUMN) == 0


def firing_view(values: Mapping[str, Any], n_tokens: int) -> FiringView:
    """How often a feature fires, with the exact counts and the interval the dataset gives."""
    count = values.get(FIRING_COLUMN)
    if count is None:
        return FiringView("how often it fires is not recorded", "")
    if n_tokens <= 0:
        return FiringView("no tokens were counted", "")
    if count == 0:
        return FiringView(f"never fired on {integer(n_tokens)} tokens", "")
    detail = f"{integer(count)} of {integer(n_tokens)} tokens"
    low, high = values.get("density_lower"), values.get("density_upper")
    if low and high:
        detail += f", 95\u202f% interval {_interval(low, high)}"
    return FiringView(f"fires on {one_in(count, n_tokens)}", detail)


def _interval(low: float, high: float) -> str:
    """A confidence interval in the words of `one_in`: `1 in 836-906`."""
    if high >= _RARE:
        return f"{percent(low)}\N{EN DASH}{percent(high)}"
    return f"1 in {ratio(high)}\N{EN DASH}{ratio(low)}"


def badges(
    values: Mapping[str, Any], neighbours: Sequence[tuple[Any, ...]], feature_idx: int
) -> tuple[BadgeView, ...]:
    """Remarks on a feature that change how its page is to be read."""
    found: list[BadgeView] = []
    if is_dead(values):
        found.append(BadgeView("dead", "It fired on no counted token of this corpus."))
    density = values.get("activation_density")
    if density is not None and density > DENSE:
        found.append(BadgeView("dense", "It fires on more than 10 % of the counted tokens."))
    if values.get("single_token") == 1:
        found.append(BadgeView("single-token", "At least 90 % of its firings are on one token."))
    for other, cosine, *_ in neighbours[:1]:
        if cosine is not None and cosine >= DUPLICATE:
            doc = f"Their decoder directions have cosine {exact(cosine)}."
            found.append(BadgeView(f"duplicate of {other}", doc, feature_href(feature_idx, other)))
    return tuple(found)


def nothing_to_show(values: Mapping[str, Any], n_tokens: int) -> tuple[str, ...]:
    """What the page says where examples would stand."""
    if n_tokens <= 0:
        return ("No tokens were counted, so there is nothing to show it on.",)
    if not is_dead(values):
        return ("No examples of this feature were kept.",)
    return (
        f"This feature never fired on the {integer(n_tokens)} counted tokens of this corpus.",
        (
            "It may need text that the corpus lacks, or be dead altogether. What its weights alone tell"
            " (its effect on the next token, its neighbours) is still shown."
        ),
    )
