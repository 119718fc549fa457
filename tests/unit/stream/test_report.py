"""The report card: every figure from its definition, and no order or split of the contexts shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.schema import REPORT, UNITS
from atlas.stats.base import Totals
from atlas.stream.losses import Losses
from atlas.stream.reconstruction import Figures, Reconstruction
from atlas.stream.report import report_table

Context = tuple[int, np.ndarray, np.ndarray]


def contexts(mean: float = 3.0, count: int = 6, width: int = 4) -> list[Context]:
    rng = np.random.default_rng(0)
    return [
        (number, rng.normal(mean, 1, (5 + number, width)), rng.normal(mean, 1, (5 + number, width)))
        for number in range(count)
    ]


def fed(order: list[int], mean: float = 3.0) -> Reconstruction:
    found, given_contexts = Reconstruction(), contexts(mean)
    for number in order:
        found.add(*given_contexts[number])
    return found


class TestReconstruction:
    def test_by_definition(self):
        """Token by token, with nothing but the definitions."""
        xs = [x for _, x, _ in contexts()]
        pairs = [(a, b) for _, x, y in contexts() for a, b in zip(x, y, strict=True)]
        n = len(pairs)
        mean = sum(a for a, _ in pairs) / n
        error = [float((a - b) @ (a - b)) for a, b in pairs]
        legacy = [
            1 - e / float((a - x.mean(0)) @ (a - x.mean(0)))
            for (a, _), e, x in zip(pairs, error, [x for x in xs for _ in x], strict=True)
        ]
        lengths = [(np.linalg.norm(a), np.linalg.norm(b)) for a, b in pairs]
        figures = fed(list(range(6))).figures()
        assert vars(figures) == {
            "n_tokens": n,
            "explained_variance": pytest.approx(
                1 - sum(error) / sum(float((a - mean) @ (a - mean)) for a, _ in pairs), rel=1e-12
            ),
            "explained_variance_legacy": pytest.approx(sum(legacy) / n, rel=1e-12),
            "mse": pytest.approx(sum(error) / n, rel=1e-12),
            "cosine": pytest.approx(
                sum(a @ b / p / q for (a, b), (p, q) in zip(pairs, lengths, strict=True)) / n, rel=1e-12
            ),
            "l2_norm_in": pytest.approx(sum(p for p, _ in lengths) / n, rel=1e-12),
            "l2_norm_out": pytest.approx(sum(q for _, q in lengths) / n, rel=1e-12),
            "l2_ratio": pytest.approx(sum(q / p for p, q in lengths) / n, rel=1e-12),
            "relative_reconstruction_bias": pytest.approx(
                sum(b @ b for _, b in pairs) / sum(a @ b for a, b in pairs), rel=1e-12
            ),
        }

    def test_no_order_shows(self):
        """Far from zero the variance is a small difference of large sums, which shows any order."""
        whole = fed([0, 1, 2, 3, 4, 5], mean=1e4).figures()
        for seed in range(20):
            order = np.random.default_rng(seed).permutation(6).tolist()
            assert fed(order, mean=1e4).figures() == whole

    @given(st.permutations(range(6)), st.integers(0, 6), st.booleans())
    def test_no_split_shows(self, order: list[int], cut: int, swap: bool):
        parts = [fed(order[:cut]), fed(order[cut:])]
        one, other = parts[::-1] if swap else parts
        kept = Reconstruction()
        kept.load({name: array.copy() for name, array in one.state().items()})
        kept.merge(other)
        assert kept.figures() == fed([0, 1, 2, 3, 4, 5]).figures()
        assert all(np.array_equal(a, b) for a, b in zip(
            kept.state().values(), fed([5, 4, 3, 2, 1, 0]).state().values(), strict=True
        ))  # fmt: skip

    def test_nothing_measured(self):
        empty = Reconstruction()
        assert empty.figures() == Figures()
        assert {name: len(array) for name, array in empty.state().items()} == {
            "context_idx": 0, "sums": 0, "targets": 0,
        }  # fmt: skip
        full = fed([0, 1])
        full.load(empty.state())
        assert full.figures() == Figures()
        empty.add(0, np.zeros((0, 3)), np.zeros((0, 3)))
        assert empty.figures() == Figures()

    def test_a_perfect_sae(self):
        found = Reconstruction()
        inputs = np.array([[1.0, 2.0], [3.0, -1.0]])
        found.add(0, inputs, inputs)
        assert vars(found.figures()) == {
            "n_tokens": 2,
            "explained_variance": 1.0,
            "explained_variance_legacy": 1.0,
            "mse": 0.0,
            "cosine": pytest.approx(1.0),
            "l2_norm_in": pytest.approx((5**0.5 + 10**0.5) / 2),
            "l2_norm_out": pytest.approx((5**0.5 + 10**0.5) / 2),
            "l2_ratio": 1.0,
            "relative_reconstruction_bias": 1.0,
        }

    def test_inputs_that_never_vary(self):
        found = Reconstruction()
        found.add(0, np.ones((3, 2)), np.zeros((3, 2)))
        figures = found.figures()
        assert figures.explained_variance is None
        assert figures.explained_variance_legacy is None
        assert figures.relative_reconstruction_bias is None
        assert (figures.cosine, figures.mse, figures.l2_ratio) == (0.0, 2.0, 0.0)

    def test_tokens_equal_to_their_contexts_mean_are_left_out_of_the_old_definition(self):
        found = Reconstruction()
        found.add(0, np.array([[0.0], [1.0], [2.0]]), np.array([[9.0], [9.0], [2.0]]))
        # Distances from the mean 1, 0, 1; errors 81, 64, 0.
        assert found.figures().explained_variance_legacy == pytest.approx(((1 - 81) + 1) / 2)

    def test_short_vectors_count_as_one_in_the_ratio(self):
        found = Reconstruction()
        found.add(0, np.array([[0.0], [5e-5], [2e-4]]), np.array([[3.0], [2.0], [1e-4]]))
        assert found.figures().l2_ratio == pytest.approx((3 + 2 + 0.5) / 3)


def table(
    firing: Sequence[int] = (0, 4, 40),
    n_tokens: int = 100,
    **changes: Any,
) -> dict[str, dict[str, Any]]:
    arguments: dict[str, Any] = {
        "totals": Totals(n_tokens, 3),
        "firing_tokens": np.array(firing, dtype=np.int64),
        "mean_activation": np.linspace(0.5, 1.5, len(firing)),
        "figures": Figures(90, 0.9),
        "losses": Losses(n_contexts=2, n_tokens=80, n_predictions=78, ce_loss_without_sae=1.0),
        "sample": "all contexts",
    } | changes
    found = report_table(**arguments)
    assert found.schema.equals(REPORT)
    rows = found.to_pylist()
    assert len({row["metric"] for row in rows}) == len(rows)
    return {row["metric"]: row for row in rows}


def value(name: str, **changes: Any) -> float | None:
    return table(**changes)[name]["value"]


class TestReportTable:
    def test_sparsity_and_features(self):
        found = {name: row["value"] for name, row in table().items()}
        assert found["l0"] == pytest.approx(44 / 100)
        assert found["l1"] == pytest.approx((4 * 1.0 + 40 * 1.5) / 100)
        assert (found["n_tokens"], found["n_contexts"], found["n_features"]) == (100, 3, 3)
        assert (found["alive"], found["dead"], found["dense"]) == (2, 1, 1)
        assert found["alive_share"] == pytest.approx(2 / 3)
        assert found["dead_share"] == found["dense_share"] == pytest.approx(1 / 3)

    def test_densities(self):
        firing = [0, 0, *range(1, 12)]
        found = {name: row["value"] for name, row in table(firing, 100_000).items()}
        # Eleven alive features: a tenth of the way from the first to the last is exactly the second.
        assert found["density_p10"] == pytest.approx(2 / 100_000)
        assert found["median_density"] == pytest.approx(6 / 100_000)
        assert found["density_p90"] == pytest.approx(10 / 100_000)
        assert found["rare_share"] == pytest.approx(9 / 11)
        assert value("density_p10", firing=[0, 10, 20], n_tokens=100) == pytest.approx(0.11)

    def test_a_feature_is_dense_above_a_tenth_and_rare_below_one_in_ten_thousand(self):
        assert value("dense", firing=[10, 11], n_tokens=100) == 1
        assert value("rare_share", firing=[1, 2], n_tokens=10_000) == 0
        assert value("rare_share", firing=[1, 2], n_tokens=10_001) == 0.5

    def test_nothing_counted(self):
        found = table([0, 0, 0], 0, figures=Figures(), losses=Losses("pass.loss_tokens is 0"))
        nulls = {name for name, row in found.items() if row["value"] is None}
        assert {"l0", "l1", "explained_variance", "median_density", "rare_share", "ce_loss_score"} <= nulls
        assert found["dead"]["value"] == 3
        assert found["dead_share"]["value"] == 1

    def test_no_features(self):
        found = table([])
        assert found["n_features"]["value"] == 0
        assert found["alive_share"]["value"] == 0

    def test_scores(self):
        losses = Losses(
            ce_loss_without_sae=2.0, ce_loss_with_sae=3.0, ce_loss_with_ablation=6.0,
            kl_div_with_sae=1.0, kl_div_with_ablation=5.0,
        )  # fmt: skip
        assert value("ce_loss_score", losses=losses) == pytest.approx(3 / 4)
        assert value("kl_div_score", losses=losses) == pytest.approx(4 / 5)
        same = Losses(
            ce_loss_without_sae=2.0, ce_loss_with_sae=3.0, ce_loss_with_ablation=2.0,
            kl_div_with_sae=1.0, kl_div_with_ablation=0.0,
        )  # fmt: skip
        assert value("ce_loss_score", losses=same) is None
        assert value("kl_div_score", losses=same) is None

    def test_every_row_says_on_how_many_tokens_it_rests(self):
        for name, row in table().items():
            doc = row["doc"]
            assert row["unit"] in UNITS
            assert doc.endswith(".")
            assert len(doc) > 20
            if name in {"n_tokens", "n_contexts", "n_features"}:
                continue
            if name.startswith("ce_"):
                assert "Mean over 78 counted tokens with a next token in the first 2 contexts." in doc
            elif name.startswith("kl_"):
                assert "Mean over 80 counted tokens in the first 2 contexts." in doc
            else:
                assert ("over 100 counted tokens" in doc) != (
                    "Measured on 90 counted tokens: all contexts." in doc
                )

    def test_what_was_not_measured_says_why(self):
        found = table(figures=Figures(), sample="the hook is missing", losses=Losses("nobody asked"))
        assert found["mse"]["doc"].endswith("Not measured: the hook is missing.")
        assert found["kl_div_score"]["doc"].endswith("Not measured: nobody asked.")
        assert found["mse"]["value"] is found["kl_div_score"]["value"] is None

    def test_numbers_that_are_not_finite_become_none(self):
        found = table(figures=Figures(10, float("nan"), mse=float("inf"), cosine=0.9))
        assert found["explained_variance"]["value"] is None
        assert found["mse"]["value"] is None
        assert found["cosine"]["value"] == 0.9
