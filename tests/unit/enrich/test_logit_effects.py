from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from atlas.enrich import logit_effects as module
from atlas.enrich.logit_effects import (
    BINS,
    LOGIT_EFFECTS,
    folding,
    histograms,
    logit_effects,
    shown,
    skew_and_kurtosis,
    tokenizer_ids,
    unavailable,
)
from atlas.schema import HISTOGRAM, VOCABULARY, column_info
from atlas.sources.engines.base import Unembedding
from tests.support.enrichment import context, make_store, write

D, V = 4, 30


def unembedding(
    kind: str = "layer_norm", *, scale: bool = True, width: int = V, seed: int = 0
) -> Unembedding:
    random = torch.Generator().manual_seed(seed)
    W_U = torch.randn(D, width, generator=random)
    return Unembedding(W_U, torch.rand(D, generator=random) + 0.5 if scale else None, kind)


def directions(count: int = 12, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, D, generator=torch.Generator().manual_seed(seed))


def by_definition(W: np.ndarray, final: Unembedding, ids: list[int], *, raw: bool = False) -> np.ndarray:
    """Dense, in double precision, one feature and one token at a time."""
    W_U = final.W_U.double().numpy()
    effects = np.zeros((len(W), len(ids)))
    for f, direction in enumerate(W):
        d = direction
        if not raw and final.norm_kind == "layer_norm":
            d = d - sum(d) / len(d)
        if not raw and final.norm_scale is not None:
            d = d * final.norm_scale.double().numpy()
        for place, token in enumerate(ids):
            effects[f, place] = sum(d[k] * W_U[k, token] for k in range(len(d)))
        if not raw:
            effects[f] -= sum(effects[f]) / len(ids)
    return effects


def dense(W: torch.Tensor, final: Unembedding, ids: list[int], *, raw: bool = False) -> np.ndarray:
    tiles = list(logit_effects(W, final, np.array(ids, np.int32), raw=raw))
    assert [start for start, _ in tiles] == list(np.cumsum([0] + [len(tile) for _, tile in tiles])[:-1])
    return np.concatenate([tile.numpy() for _, tile in tiles])


@pytest.mark.parametrize("tile", [1, 5, 100])
@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize(
    ("kind", "scale"), [("layer_norm", True), ("layer_norm", False), ("rms_norm", True), ("none", False)]
)
def test_effects_equal_the_definition(monkeypatch, kind, scale, raw, tile):
    monkeypatch.setattr(module, "tile_rows", lambda _: tile)
    final, W = unembedding(kind, scale=scale), directions()
    ids = list(range(V))
    expected = by_definition(W.double().numpy(), final, ids, raw=raw)
    np.testing.assert_allclose(dense(W, final, ids, raw=raw), expected, atol=1e-5)


def test_raw_effects_are_others():
    final, W, ids = unembedding(), directions(), list(range(V))
    assert np.abs(dense(W, final, ids) - dense(W, final, ids, raw=True)).max() > 0.1


def test_the_mean_is_over_the_tokenizers_tokens_only():
    final, W = unembedding(width=V), directions()
    ids = [0, 3, 4, 20]
    expected = by_definition(W.double().numpy(), final, ids)
    actual = dense(W, final, ids)
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    np.testing.assert_allclose(actual.mean(axis=1), 0, atol=1e-6)


def test_a_direction_that_the_norm_removes_has_no_effects():
    W = torch.stack([torch.zeros(D), torch.full((D,), 3.0), torch.tensor([1.0, 0, 0, 0])])
    effects = dense(W, unembedding("layer_norm"), list(range(V)))
    assert np.isnan(effects[:2]).all()
    assert np.isfinite(effects[2]).all()


# ---- the table


def write_logits(path, W, final, *, tokens: int = V, **options):
    store = make_store(path, {"one": [[]] * len(W)}, [b"x%d" % i for i in range(tokens)])
    made, notes = context(store, W_dec=W, unembedding=final, d_model=D, **options)
    LOGIT_EFFECTS.run(made)
    return store, notes


def test_the_table_lists_both_ends(tmp_path):
    final, W = unembedding(), directions()
    store, notes = write_logits(tmp_path / "data", W, final, logit_effects=6)
    rows = store.read("logits", "one").to_pylist()
    assert [row["feature_idx"] for row in rows] == list(range(len(W)))
    for raw, prefix in ((False, ""), (True, "raw_")):
        expected = by_definition(W.double().numpy(), final, list(range(V)), raw=raw)
        for row, effects in zip(rows, expected, strict=True):
            best = np.argsort(-effects, kind="stable")[:6]
            worst = np.argsort(effects, kind="stable")[:6]
            for end, places in (("positive", best), ("negative", worst)):
                entries = row[f"{prefix}{end}_logits"]
                assert [entry["token_id"] for entry in entries] == places.tolist()
                np.testing.assert_allclose([entry["value"] for entry in entries], effects[places], atol=1e-5)
                assert {entry["count"] for entry in entries} == {0}
    assert notes[-1].startswith("Final norm folded")
    assert store.verify() == []


def test_the_table_has_the_shape_of_the_effects(tmp_path):
    final, W = unembedding(), directions()
    store, _ = write_logits(tmp_path / "data", W, final)
    rows = store.read("logits", "one").to_pylist()
    for row, effects in zip(rows, by_definition(W.double().numpy(), final, list(range(V))), strict=True):
        assert row["logit_skew"] == pytest.approx(by_moments(effects)[0], abs=1e-4)
        assert row["logit_kurtosis"] == pytest.approx(by_moments(effects)[1], abs=1e-4)


def test_equal_effects_are_ordered_by_token(tmp_path):
    W_U = torch.zeros(D, 8)
    W_U[0, [1, 3, 6]] = 1.0
    store, _ = write_logits(
        tmp_path / "data", torch.eye(D)[:1], Unembedding(W_U, None, "none"), tokens=8, logit_effects=5
    )
    row = store.read("logits", "one").to_pylist()[0]
    assert [entry["token_id"] for entry in row["positive_logits"]] == [1, 3, 6, 0, 2]
    assert [entry["token_id"] for entry in row["negative_logits"]] == [0, 2, 4, 5, 7]


def test_unembedding_entries_past_the_tokenizer_are_left_out(tmp_path):
    final, W = unembedding(width=V), directions()
    final.W_U[:, 20:] *= 100
    store, _ = write_logits(tmp_path / "data", W, final, tokens=20)
    rows = store.read("logits", "one").to_pylist()
    ids = {
        entry["token_id"]
        for row in rows
        for name in ("positive_logits", "negative_logits")
        for entry in row[name]
    }
    assert ids <= set(range(20))
    assert all(sum(bin_["count"] for bin_ in row["logit_histogram"]) == 20 for row in rows)


def test_place_holders_of_a_padded_embedding_are_left_out(tmp_path):
    store = make_store(tmp_path / "data", {"one": []}, [b"a", None, b"<unused 2>"])
    assert tokenizer_ids(store).tolist() == [0, 1, 2]
    rows = [
        {"token_id": i, "bytes": b"", "special": special, "piece": piece}
        for i, special, piece in [(0, True, "<unused 0>"), (1, True, "<unused1>"), (2, False, "<unused 2>"),
                                  (3, True, "<unused 7>"), (4, True, "<unused 4>"), (9, False, "x")]
    ]  # fmt: skip
    write(store, "vocabulary", VOCABULARY, rows)
    assert tokenizer_ids(store).tolist() == [1, 2, 3, 9]


def test_tokens_past_the_unembedding_are_left_out(tmp_path):
    store, _ = write_logits(tmp_path / "data", directions(), unembedding(width=V), tokens=V + 5)
    rows = store.read("logits", "one").to_pylist()
    assert all(sum(bin_["count"] for bin_ in row["logit_histogram"]) == V for row in rows)


def test_fewer_tokens_than_asked_for(tmp_path):
    store, _ = write_logits(
        tmp_path / "data", directions(2), unembedding(width=3), tokens=3, logit_effects=10
    )
    assert all(len(row["positive_logits"]) == 3 for row in store.read("logits", "one").to_pylist())


def test_a_zero_direction_gets_an_empty_row(tmp_path):
    W = directions(3)
    W[1] = 0
    store, _ = write_logits(tmp_path / "data", W, unembedding())
    row = store.read("logits", "one").to_pylist()[1]
    assert row.pop("feature_idx") == 1
    assert set(map(str, row.values())) == {"[]", "None"}
    assert row["logit_kurtosis"] is row["logit_skew"] is None


FOLDED = ("positive_logits", "negative_logits", "logit_histogram", "logit_kurtosis", "logit_skew")
RAW = ("raw_positive_logits", "raw_negative_logits")


@pytest.mark.parametrize("fold", [True, False])
def test_the_columns_say_what_was_folded(tmp_path, fold):
    store, _ = write_logits(tmp_path / "data", directions(), unembedding(), fold_final_norm=fold)
    docs = {field.name: column_info(field).doc for field in store.schema("logits", "one")}
    assert [name for name in docs if docs[name].endswith(folding(unembedding()))] == list(FOLDED)
    assert all("nothing folded, no mean removed" in docs[name] for name in RAW)


@pytest.mark.parametrize(
    ("fold", "words", "drawn"),
    [(True, "Final norm folded", FOLDED[:3]), (False, "Shown raw", RAW)],
)
def test_pages_show_one_of_the_two_and_the_note_says_which(tmp_path, fold, words, drawn):
    store, notes = write_logits(tmp_path / "data", directions(), unembedding(), fold_final_norm=fold)
    assert notes[0].startswith(words)
    kinds = {field.name: column_info(field).kind for field in store.schema("logits", "one")}
    lists = [name for name in (*FOLDED[:3], *RAW) if kinds[name] != "hidden"]
    assert lists == list(drawn)
    assert kinds["logit_kurtosis"] == kinds["logit_skew"] == "scalar"


def test_which_of_the_two_is_shown_changes_no_number(tmp_path):
    tables = [
        write_logits(tmp_path / str(fold), directions(), unembedding(), fold_final_norm=fold)[0]
        .read("logits", "one")
        .to_pylist()
        for fold in (True, False)
    ]
    assert tables[0] == tables[1]


# ---- moments


def by_moments(values: np.ndarray) -> tuple[float, float]:
    """(skewness, excess kurtosis), one value at a time."""
    mean = sum(values) / len(values)
    second, third, fourth = (sum((value - mean) ** n for value in values) / len(values) for n in (2, 3, 4))
    return third / second**1.5, fourth / second**2 - 3


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e5])
def test_moments_equal_the_definition(scale):
    values = torch.randn(5, 400, generator=torch.Generator().manual_seed(3)).exp() * scale
    skew, kurtosis = skew_and_kurtosis(values)
    for row, *found in zip(values.double().numpy(), skew, kurtosis, strict=True):
        assert found == pytest.approx(by_moments(row), rel=1e-9)


def test_moments_of_known_shapes():
    one_of_four = torch.tensor([[0.0, 0.0, 0.0, 1.0], [1.0, 1.0, -1.0, -1.0]])
    skew, kurtosis = skew_and_kurtosis(one_of_four)
    assert skew.tolist() == pytest.approx([2 / 3**0.5, 0])
    assert kurtosis.tolist() == pytest.approx([4 / 3 + 1 - 3, -2])


def test_equal_effects_have_no_shape():
    skew, kurtosis = skew_and_kurtosis(torch.tensor([[0.1] * 7, [torch.nan] * 7, [0.0] * 7]))
    assert np.isnan(skew).all()
    assert np.isnan(kurtosis).all()


def test_twice_gives_the_same_bytes(tmp_path):
    digests = set()
    for name in ("a", "b"):
        store, _ = write_logits(tmp_path / name, directions(), unembedding())
        digests.add(tuple(file.sha256 for file in store.manifest.tables["one/logits"]))
    assert len(digests) == 1


# ---- when there can be no table


@pytest.mark.parametrize(
    "hook_name",
    [
        "blocks.0.hook_resid_pre", "blocks.11.hook_resid_mid", "blocks.3.hook_resid_post",
        "blocks.3.hook_mlp_out", "blocks.3.hook_attn_out", "blocks.3.hook_in", "blocks.3.hook_out",
        "blocks.3.mlp.hook_out", "hook_embed", "blocks.3.attn.hook_out",
    ],
)  # fmt: skip
def test_residual_hooks_have_effects(hook_name):
    assert unavailable(hook_name, D, D) == ""


@pytest.mark.parametrize(
    ("hook_name", "reason"),
    [
        # d_in equals d_model for GPT-2's hook_z, so the width alone would not tell.
        ("blocks.3.attn.hook_z", "W_O"),
        ("blocks.3.mlp.hook_post", "not directions of the residual stream"),
        ("blocks.3.attn.q.hook_out", "not directions of the residual stream"),
        ("blocks.3.ln1.hook_normalized", "not directions of the residual stream"),
        ("elsewhere.blocks.3.hook_resid_pre", "not directions of the residual stream"),
    ],
)
def test_other_hooks_have_none_and_the_note_says_why(tmp_path, hook_name, reason):
    store, notes = write_logits(
        tmp_path / "data", directions(), unembedding(), facts={"hook_name": hook_name}
    )
    assert not store.has("logits", "one")
    assert notes[-1].startswith("Not available: ")
    assert reason in notes[-1]
    assert hook_name in notes[-1]


def test_a_width_that_is_not_the_residual_streams_has_none():
    reason = unavailable("blocks.1.hook_resid_pre", 7, D)
    assert "7" in reason
    assert str(D) in reason


def test_a_transcoder_writes_at_its_output_hook(tmp_path):
    facts = {"hook_name": "blocks.3.ln2.hook_normalized", "hook_name_out": "blocks.3.hook_mlp_out"}
    store, notes = write_logits(tmp_path / "a", directions(), unembedding(), facts=facts)
    assert store.has("logits", "one")
    facts = {"hook_name": "blocks.3.hook_resid_pre", "hook_name_out": "blocks.3.attn.hook_z"}
    store, notes = write_logits(tmp_path / "b", directions(), unembedding(), facts=facts)
    assert not store.has("logits", "one")
    assert "blocks.3.attn.hook_z" in notes[-1]


def test_the_words_for_every_kind_of_final_norm():
    assert "mean is removed" in folding(unembedding("layer_norm"))
    assert "mean is removed" not in folding(unembedding("rms_norm"))
    assert "learned scale" in folding(unembedding("rms_norm"))
    assert "no learned scale" in folding(unembedding("layer_norm", scale=False))
    assert "no final norm" in folding(unembedding("none", scale=False))
    assert shown(unembedding("layer_norm"), folded=True) == folding(unembedding("layer_norm"))
    assert "not folded, no mean removed" in shown(unembedding("layer_norm"), folded=False)


# ---- histograms


def check_histogram(values: np.ndarray, bins: list[dict]) -> None:
    """Every bin counts exactly the values in [lower, upper), and together they count all."""
    for bin_ in bins:
        inside = (values >= np.float32(bin_["lower"])) & (values < np.float32(bin_["upper"]))
        assert bin_["count"] == inside.sum() > 0
    assert sum(bin_["count"] for bin_ in bins) == values.size
    assert all(left["upper"] <= right["lower"] for left, right in itertools.pairwise(bins))


@pytest.mark.parametrize("seed", range(5))
def test_bins_count_what_lies_in_them(seed):
    values = torch.randn(4, 700, generator=torch.Generator().manual_seed(seed)) * 10.0 ** (seed - 2)
    lists = histograms(values)
    assert lists.type == HISTOGRAM
    for row, bins in zip(values.numpy(), lists.to_pylist(), strict=True):
        check_histogram(row, bins)
        assert bins[0]["lower"] == row.min()
        width = (row.max() - row.min()) / BINS
        assert all(bin_["upper"] - bin_["lower"] == pytest.approx(width, rel=1e-3) for bin_ in bins)


@pytest.mark.parametrize(
    "row",
    [
        [2.5] * 9, [0.0] * 3, [-0.0, 0.0], [1.0, 1.0000001, 1.0000002], [-1.0, 1.0], [3.0],
        [1e-38, 2e-38, 0.0], [-3e38, 3e38],
    ],
)  # fmt: skip
def test_narrow_and_wide_rows(row):
    values = torch.tensor([row])
    check_histogram(values.numpy()[0], histograms(values).to_pylist()[0])


def test_rows_without_finite_effects_have_no_bins():
    values = torch.tensor([[1.0, torch.nan], [1.0, 2.0], [torch.inf, 0.0]])
    assert [len(bins) for bins in histograms(values).to_pylist()] == [0, 2, 0]
    assert histograms(torch.zeros(2, 0)).to_pylist() == [[], []]
    assert histograms(torch.zeros(0, 5)).to_pylist() == []
