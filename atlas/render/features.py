"""The feature pages of one SAE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atlas.render.contexts import FeaturePage
from atlas.render.dataset import (
    FIRING_COLUMN,
    MAX_COLUMN,
    TOKENS_COLUMN,
    Block,
    SaeData,
)
from atlas.render.frames import Frames, feature_href, feature_path
from atlas.render.numbers import decimal, exact, integer, one_in, percent, ratio
from atlas.render.panels import FeatureView
from atlas.render.strips import Shown, shown, strip
from atlas.render.views import (
    BadgeView,
    ExampleView,
    ExplanationView,
    FiringView,
    Head,
    Link,
    NumberView,
)
from atlas.schema import DENSE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from atlas.render.cards import CardPlans
    from atlas.render.windows import Vocabulary, Window

_RARE = 0.5
_TITLE_TOKENS = 3


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

    def title(self, feature_idx: int) -> Shown:
        """The explanation, or `feature 12` where there is none (or no such feature)."""
        known = 0 <= feature_idx < len(self.texts)
        return shown((self.texts[feature_idx] if known else "") or f"feature {feature_idx}")


class FeaturePages:
    """Makes the `FeaturePage` of any feature of one SAE."""

    def __init__(
        self,
        frames: Frames,
        data: SaeData,
        plans: CardPlans,
        *,
        vocabulary: Vocabulary,
        documents: Sequence[str],
        explanations: Explanations,
        cluster_labels: Sequence[str],
        static_examples: int,
        features_per_shard: int,
    ) -> None:
        self._frames = frames
        self._data = data
        self._vocabulary = vocabulary
        self._documents = [shown(name) for name in documents]
        self._explanations = explanations
        self._cluster_labels = cluster_labels
        self._plans = plans
        self._static_examples = static_examples
        self._features_per_shard = features_per_shard
        self._n_tokens = int(frames.manifest.stream.get("n_tokens", 0) or 0)

    def page(self, block: Block, feature_idx: int) -> FeaturePage:
        """The page of a feature of `block`."""
        at = feature_idx - block.start
        values = {name: column[at] for name, column in block.values.items()}
        largest = float(values.get(MAX_COLUMN) or 0.0)
        top = block.windows.top(feature_idx, self._static_examples)
        firing = firing_view(values, self._n_tokens)
        slug, last = self._data.slug, self._data.n_features - 1
        thousand = feature_idx // 1000 * 1000
        return FeaturePage(
            head=self._head(feature_idx, values, firing),
            feature_idx=feature_idx,
            sae=self._frames.saes[slug],
            thousand=f"{thousand}\N{EN DASH}{min(thousand + 999, last)}",
            heading=self._heading(feature_idx, values),
            explanation=self._explanation(feature_idx),
            firing=firing,
            badges=badges(values),
            max_activation=NumberView(decimal(largest), exact(largest)),
            examples=tuple(self.example(window, largest) for window in top),
            nothing=() if top else nothing_to_show(values, self._n_tokens),
            cards=self._plans.cards(values, self._view(feature_idx, largest, top)),
            previous=_link(feature_idx, feature_idx - 1) if feature_idx else None,
            following=_link(feature_idx, feature_idx + 1) if feature_idx < last else None,
            shard=f"data/{slug}/features/{feature_idx // self._features_per_shard}.js",
        )

    def example(self, window: Window, largest: float) -> ExampleView:
        """A window of the corpus with its heat, `largest` being the feature's largest activation."""
        known = 0 <= window.document_idx < len(self._documents)
        return ExampleView(
            activation=decimal(window.activation),
            exact=exact(window.activation),
            document=self._documents[window.document_idx] if known else shown(""),
            strip=strip(window.pieces, window.heat, window.peak, largest),
        )

    def cluster(self, number: int) -> Shown:
        """Label of a cluster of the map."""
        known = 0 <= number < len(self._cluster_labels)
        return shown((self._cluster_labels[number] if known else "") or f"group {number}")

    def _head(self, feature_idx: int, values: Mapping[str, Any], firing: FiringView) -> Head:
        slug, frames = self._data.slug, self._frames
        text = self._explanations.texts[feature_idx] or f"Feature {feature_idx}"
        tokens = [self._vocabulary.text(entry[0]).strip() for entry in values.get(TOKENS_COLUMN) or ()]
        named = ", ".join(f"“{token}”" for token in [token for token in tokens if token][:_TITLE_TOKENS])
        most = f", most often on {named}" if named else ""
        return frames.head(
            "feature",
            feature_path(slug, feature_idx),
            f"{text[:100]} · {slug}/{feature_idx}",
            f"Feature {feature_idx} of {self._data.entry.title}: {firing.phrase}{most}.",
            sae_slug=slug,
            feature_idx=feature_idx,
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
            score_exact="" if score is None else exact(score),
            score_name=shown(self._explanations.score_names[feature_idx] or "score"),
        )

    def _view(self, feature_idx: int, largest: float, top: Sequence[Window]) -> FeatureView:
        return FeatureView(
            feature_idx=feature_idx,
            max_activation=largest,
            shown_from=min((window.activation for window in top), default=float("inf")),
            token=self._vocabulary.text,
            title=self._explanations.title,
            href=lambda other: feature_href(feature_idx, other),
            cluster=self.cluster,
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


def badges(values: Mapping[str, Any]) -> tuple[BadgeView, ...]:
    """Remarks on a feature that change how its page is to be read."""
    found: list[BadgeView] = []
    if is_dead(values):
        found.append(BadgeView("dead", "It fired on no counted token of this corpus."))
    density = values.get("activation_density")
    if density is not None and density > DENSE:
        found.append(BadgeView("dense", "It fires on more than 10 % of the counted tokens."))
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
