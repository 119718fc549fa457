"""Feature pages: what each says of its feature."""

from __future__ import annotations

import pyarrow as pa
import pytest

from atlas.render.builder import Builder, SaeFiles
from atlas.render.contexts import FeaturePage
from atlas.render.features import (
    MAIN_NUMBERS,
    Explanations,
    badges,
    firing_view,
    is_dead,
    nothing_to_show,
)
from atlas.render.strips import shown
from atlas.schema import EXPLANATIONS
from atlas.store import AtlasStore

EN = "\N{EN DASH}"
NARROW = "\u202f"


@pytest.fixture(scope="module")
def files(builder: Builder) -> SaeFiles:
    return SaeFiles(builder, builder.store.manifest.saes[0])


def page(files: SaeFiles, feature: int) -> FeaturePage:
    return files.pages.page(files.data.block(0, 40), feature)


def values(count: int | None, total: int = 1000, **more: float | None) -> dict[str, float | int | None]:
    return {"firing_tokens": count, "activation_density": None if count is None else count / total, **more}


@pytest.mark.parametrize(
    ("count", "low", "high", "phrase", "detail"),
    [
        (
            10,
            0.0054,
            0.0183,
            "fires on 1 in 100 tokens",
            f"10 of 1,000 tokens, 95{NARROW}% interval 1 in 55{EN}185",
        ),
        (
            600,
            0.57,
            0.63,
            f"fires on 60.0{NARROW}% of tokens",
            f"600 of 1,000 tokens, 95{NARROW}% interval 57.0{NARROW}%{EN}63.0{NARROW}%",
        ),
        (
            300,
            0.27,
            0.33,
            "fires on 1 in 3.3 tokens",
            f"300 of 1,000 tokens, 95{NARROW}% interval 1 in 3.0{EN}3.7",
        ),
        (10, None, None, "fires on 1 in 100 tokens", "10 of 1,000 tokens"),
        (0, 0.0, 0.0038, "never fired on 1,000 tokens", ""),
        (None, None, None, "how often it fires is not recorded", ""),
    ],
)
def test_how_often_a_feature_fires(count, low, high, phrase, detail):
    view = firing_view(values(count, density_lower=low, density_upper=high), 1000)
    assert (view.phrase, view.detail) == (phrase, detail)


def test_nothing_counted_is_said_so():
    assert firing_view(values(0), 0).phrase == "no tokens were counted"
    assert nothing_to_show(values(0), 0) == ("No tokens were counted, so there is nothing to show it on.",)


@pytest.mark.parametrize(
    ("count", "total", "labels"),
    [(0, 1000, ["dead"]), (5, 1000, []), (100, 1000, []), (101, 1000, ["dense"])],
)
def test_badges(count: int, total: int, labels: list[str]):
    assert [badge.label for badge in badges(values(count, total), [], 7)] == labels


@pytest.mark.parametrize(("single", "labels"), [(1, ["single-token"]), (0, []), (None, [])])
def test_a_feature_of_one_token_is_said_to_be(single: int | None, labels: list[str]):
    assert [badge.label for badge in badges(values(5, single_token=single), [], 7)] == labels


@pytest.mark.parametrize(
    ("neighbours", "label", "href"),
    [
        ([(1012, 0.951), (3, 0.95)], "duplicate of 1012", "../1/1012.html"),
        ([(3, 0.949)], "", ""),
        ([(3, None)], "", ""),
        ([], "", ""),
    ],
)
def test_a_duplicate_leads_to_its_double(neighbours: list, label: str, href: str):
    found = badges(values(5), neighbours, 7)
    assert [(badge.label, badge.href) for badge in found] == ([(label, href)] if label else [])


def test_a_feature_without_a_count_is_not_called_dead():
    assert not is_dead(values(None))
    assert badges({}, [], 7) == ()
    assert nothing_to_show({}, 5) == ("No examples of this feature were kept.",)


def test_a_page_agrees_with_the_dataset(files: SaeFiles, store: AtlasStore):
    rows = store.read("features", "alpha").to_pylist()
    examples = store.read("examples", "alpha").to_pylist()
    logits = store.read("logits", "alpha").to_pylist()
    neighbours = store.read("neighbours", "alpha").to_pylist()
    text = files._builder.vocabulary.text
    for feature in (0, 7, 39):
        found, row = page(files, feature), rows[feature]
        assert f"{row['firing_tokens']:,} of" in found.firing.detail
        top = [entry for entry in examples if entry["feature_idx"] == feature and entry["group"] == "top"]
        assert len(found.examples) == min(4, len(top))
        for brief, entry in zip(found.examples, top, strict=False):
            assert float(brief.activation) == pytest.approx(entry["activation"], rel=1e-3)
            assert "<mark>" in brief.text
        for words, entries in (
            (found.tokens, row["top_tokens"]),
            (found.raised, logits[feature]["positive_logits"]),
            (found.lowered, logits[feature]["negative_logits"]),
        ):
            top = [shown(text(entry["token_id"]), spaces=True) for entry in entries[:5]]
            assert str(words) == "".join(f"<dd>{word}" for word in top)
        expected = neighbours[feature]["neighbours"][:5]
        assert [other.href for other in found.neighbours] == [f"{n['feature_idx']}.html" for n in expected]
        assert [float(other.value) for other in found.neighbours] == pytest.approx(
            [n["value"] for n in expected], abs=0.01
        )
        told = {number.name: number.text for number in found.numbers}
        assert list(told) == [name for name in MAIN_NUMBERS if name in files.data.columns]
        assert float(told["max_activation"]) == pytest.approx(row["max_activation"], rel=1e-3)


def test_examples_on_the_page_are_limited(store: AtlasStore):
    from pathlib import Path

    from atlas.config import RenderConfig

    builder = Builder(store, RenderConfig(static_examples=2), Path(), scripts=False)
    few = SaeFiles(builder, store.manifest.saes[0])
    assert len(page(few, 7).examples) == 2


def test_neighbouring_pages_are_linked(files: SaeFiles):
    assert page(files, 0).previous is None
    assert page(files, 0).following.href == "1.html"
    assert page(files, 39).following is None
    assert page(files, 39).previous.href == "38.html"


def test_a_dead_feature_reads_well(files: SaeFiles):
    found = page(files, 3)
    assert str(found.heading) == "Feature 3, which never fired"
    assert found.explanation is None
    assert found.examples == ()
    assert "never fired" in found.nothing[0]
    assert not found.tokens
    assert found.raised.count("<dd>") == found.lowered.count("<dd>") == 5
    assert len(found.neighbours) == 5


def test_the_head_tells_what_the_feature_is(files: SaeFiles):
    head = page(files, 7).head
    assert head.path == "alpha/0/7.html"
    assert head.feature_idx == 7
    assert "alpha/7" in head.title
    assert head.description.startswith("Feature 7 of Synthetic alpha: fires on 1 in")
    assert "most often on “" in head.description
    assert page(files, 3).head.description == "Feature 3 of Synthetic alpha: never fired on 536 tokens."


def test_the_shard_of_a_feature_is_named(files: SaeFiles):
    assert page(files, 15).shard == "data/alpha/features/0.js"
    assert page(files, 16).shard == "data/alpha/features/1.js"


EXPLAINED = [
    {"feature_idx": 1, "text": "<b>raise</b>", "method": "by hand", "score": 0.914, "score_name": "F1"},
    {"feature_idx": 2, "text": "loops", "method": "", "score": None, "score_name": ""},
]


def test_explanations_may_be_few_or_absent():
    found = Explanations.read(pa.Table.from_pylist(EXPLAINED, schema=EXPLANATIONS), 4)
    assert found.texts == ["", "<b>raise</b>", "loops", ""]
    assert found.scores[0] is None
    assert found.scores[1] == pytest.approx(0.914)
    assert str(found.title(1)) == "&lt;b&gt;raise&lt;/b&gt;"
    assert str(found.title(0)) == "feature 0"
    assert str(found.title(99)) == "feature 99"
    assert str(found.title(-1)) == "feature -1"
    assert Explanations.read(None, 2).texts == ["", ""]


def test_where_an_explanation_comes_from(files: SaeFiles, monkeypatch: pytest.MonkeyPatch):
    table = pa.Table.from_pylist(EXPLAINED, schema=EXPLANATIONS)
    monkeypatch.setattr(files.pages, "_explanations", Explanations.read(table, 40))
    first, second = page(files, 1).explanation, page(files, 2).explanation
    assert first is not None
    assert second is not None
    assert (str(first.method), first.score, str(first.score_name)) == ("by hand", "0.91", "F1")
    assert (str(second.method), second.score) == ("explanation", "")
    assert page(files, 4).explanation is None


def test_an_unexplained_living_feature_goes_by_its_number(files: SaeFiles, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files.pages, "_explanations", Explanations.read(None, 40))
    assert str(page(files, 5).heading) == "Feature 5"


def test_the_facts_of_an_explanation_are_exact():
    found = Explanations.read(pa.Table.from_pylist(EXPLAINED, schema=EXPLANATIONS), 4)
    assert found.facts(1, 3) == [("<b>raise</b>", "by hand", "0.914", "F1"), ("loops", "", "", "")]


def test_a_long_title_is_cut_where_there_is_little_room():
    found = Explanations(["x" * 50, "short"], ["", ""], [None, None], ["", ""])
    assert str(found.title(0, 10)) == "x" * 9 + "…"
    assert str(found.title(0)) == "x" * 50
    assert str(found.title(1, 10)) == "short"


def test_link_previews_say_what_it_is_without_its_address(files: SaeFiles):
    head = page(files, 7).head
    assert head.headline == files.explanations.texts[7]
    assert head.title == f"{head.headline} · alpha/7"
