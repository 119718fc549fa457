from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from atlas.enrich import weights as module
from atlas.enrich.weights import TOP_NEURONS, WEIGHTS, table_schema, top_neurons
from atlas.schema import NEURON_LIST, column_info
from atlas.sources.saes.base import SaeWeights
from tests.support.enrichment import context, make_store

D_IN, D_SAE = 6, 11


def made(d_out: int = D_IN, seed: int = 0) -> SaeWeights:
    random = torch.Generator().manual_seed(seed)
    return SaeWeights(
        W_enc=torch.randn(D_IN, D_SAE, generator=random),
        W_dec=torch.randn(D_SAE, d_out, generator=random),
        b_enc=torch.randn(D_SAE, generator=random),
        threshold=torch.rand(D_SAE, generator=random),
        b_dec=torch.zeros(d_out),
    )


def table(path, weights: SaeWeights) -> tuple[list[dict[str, Any]], Any]:
    store = make_store(path / "data", {"one": [[]] * len(weights.W_dec)}, [b"a"])
    WEIGHTS.run(context(store, weights=weights)[0])
    assert store.verify() == []
    return store.read("weights", "one").to_pylist(), store


def length(vector: np.ndarray) -> float:
    return sum(float(value) ** 2 for value in vector) ** 0.5


def test_every_column_equals_its_definition(tmp_path):
    weights = made()
    rows, _ = table(tmp_path, weights)
    assert [row["feature_idx"] for row in rows] == list(range(D_SAE))
    for f, row in enumerate(rows):
        encoder, decoder = weights.W_enc[:, f].numpy(), weights.W_dec[f].numpy()
        product = sum(float(a) * float(b) for a, b in zip(encoder, decoder, strict=True))
        expected = {
            "encoder_norm": length(encoder),
            "decoder_norm": length(decoder),
            "encoder_decoder_cosine": product / length(encoder) / length(decoder),
            "encoder_bias": float(weights.b_enc[f]),
            "threshold": float(weights.threshold[f]),
            "neuron_alignment": max(abs(float(value)) for value in decoder) / length(decoder),
        }
        assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-6)
        order = sorted(range(D_IN), key=lambda k: (-abs(decoder[k]), k))[:TOP_NEURONS]
        total = sum(abs(float(value)) for value in decoder)
        for entry, k in zip(row["top_neurons"], order, strict=True):
            assert (entry["dimension"], entry["value"]) == (k, decoder[k])
            assert entry["share"] == pytest.approx(abs(decoder[k]) / total, rel=1e-6)


def test_tiles_change_nothing(tmp_path, monkeypatch):
    expected, _ = table(tmp_path / "a", made())
    monkeypatch.setattr(module, "FEATURES_AT_ONCE", 4)
    assert table(tmp_path / "b", made())[0] == expected


@pytest.mark.parametrize(
    ("missing", "null"),
    [
        (("threshold",), {"threshold"}),
        (
            ("W_enc", "b_enc", "threshold"),
            {"encoder_norm", "encoder_decoder_cosine", "encoder_bias", "threshold"},
        ),
    ],
)
def test_what_an_architecture_lacks_is_null_and_not_drawn(tmp_path, missing, null):
    weights = replace(made(), **dict.fromkeys(missing))
    rows, store = table(tmp_path, weights)
    for row in rows:
        assert {name for name, value in row.items() if value is None} == null
    hidden = {f.name for f in store.schema("weights", "one") if column_info(f).kind == "hidden"}
    assert hidden == {*null, "top_neurons"}


def test_a_transcoder_of_two_widths_has_no_cosine(tmp_path):
    rows, store = table(tmp_path, made(d_out=4))
    assert {row["encoder_decoder_cosine"] for row in rows} == {None}
    assert column_info(store.schema("weights", "one").field("encoder_decoder_cosine")).kind == "hidden"
    assert all(row["encoder_norm"] and len(row["top_neurons"]) == 4 for row in rows)


def test_with_everything_there_nothing_is_hidden_but_the_list():
    hidden = [field.name for field in table_schema(made()) if column_info(field).kind == "hidden"]
    assert hidden == ["top_neurons"]


def test_a_zero_direction_has_a_length_and_nothing_else(tmp_path):
    weights = made()
    weights.W_dec[3] = 0
    weights.W_enc[:, 5] = 0
    rows, _ = table(tmp_path, weights)
    assert rows[3]["decoder_norm"] == 0
    assert rows[3]["neuron_alignment"] is rows[3]["encoder_decoder_cosine"] is None
    assert rows[3]["top_neurons"] == []
    assert rows[5]["encoder_norm"] == 0
    assert rows[5]["encoder_decoder_cosine"] is None
    assert rows[5]["neuron_alignment"] is not None


def test_twins_have_cosine_one_and_a_neuron_has_alignment_one(tmp_path):
    weights = made()
    weights.W_dec[:] = weights.W_enc.T * 3
    weights.W_dec[2] = 0
    weights.W_dec[2, 4] = -0.7
    rows, _ = table(tmp_path, weights)
    assert all(row["encoder_decoder_cosine"] == 1 for row in rows if row["feature_idx"] != 2)
    assert rows[2]["neuron_alignment"] == 1
    assert rows[2]["top_neurons"] == [{"dimension": 4, "value": pytest.approx(-0.7), "share": 1.0}]


def test_equal_neurons_are_ordered_by_dimension():
    lists = top_neurons(torch.tensor([[1.0, -2.0, 2.0, 0.0, 1.0, -1.0, 1.0]]).double())
    assert lists.type == NEURON_LIST
    assert [entry["dimension"] for entry in lists.to_pylist()[0]] == [1, 2, 0, 4, 5]


def test_twice_gives_the_same_bytes(tmp_path):
    digests = [
        tuple(file.sha256 for file in table(tmp_path / name, made())[1].manifest.tables["one/weights"])
        for name in ("a", "b")
    ]
    assert digests[0] == digests[1]
