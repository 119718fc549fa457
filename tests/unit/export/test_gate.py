"""The gate: figures from their definitions, and no model that is not the model."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from atlas.config import MaskConfig
from atlas.errors import InputError
from atlas.export.onnx import gate
from atlas.export.onnx.files import write_files
from atlas.export.onnx.gate import GATES, Figures, Sample, measure, refuse_below, sample_of
from atlas.export.onnx.running import Runner, Steering, no_steering
from atlas.store.browser_model import GatePayload
from atlas.stream.batches import Mask
from tests.support.exported import Exported, steering_of, token_ids

pytestmark = pytest.mark.slow

Array = np.ndarray

FINE = Figures(
    n_tokens=4096,
    top_overlap=0.999,
    relative_error=0.001,
    flips=0.01,
    l0=20.0,
    largest_error=1e-5,
    logits_error=2e-5,
    argmax_agreement=1.0,
)


@pytest.fixture(scope="module")
def sample() -> Sample:
    ids = token_ids(3, 24, seed=5)
    counted = np.ones(ids.shape, bool)
    counted[:, 0] = False
    return Sample(ids, counted, masked=1)


def runner_of(exported: Exported, precision: str = "fp32") -> Runner:
    return Runner(write_files(exported.model, precision), exported.model.decoder)


class TestFigures:
    """Each figure against plain loops over two small matrices."""

    @pytest.fixture
    def pair(self) -> tuple[Array, Array]:
        random = np.random.default_rng(2)
        wanted = np.maximum(random.normal(size=(30, 60)), 0).astype(np.float32)
        found = wanted * (1 + 0.1 * random.normal(size=wanted.shape)).astype(np.float32)
        found[random.random(found.shape) < 0.1] = 0
        found[random.random(found.shape) < 0.05] = 0.3
        return np.maximum(found, 0), wanted

    @pytest.fixture
    def figures(self, pair) -> Figures:
        tally = gate._Tally()
        tally.add(pair[0][:11], pair[1][:11])
        tally.add(pair[0][11:], pair[1][11:])
        return tally.figures()

    def test_counts(self, pair, figures: Figures):
        found, wanted = pair
        assert figures.n_tokens == 30
        assert figures.l0 == pytest.approx(float((wanted > 0).sum()) / 30)
        assert figures.flips == pytest.approx(float(((wanted > 0) != (found > 0)).sum()) / 30)

    def test_median_relative_error(self, pair, figures: Figures):
        found, wanted = pair
        errors = sorted(
            abs(float(found[t, f]) - float(wanted[t, f])) / float(wanted[t, f])
            for t in range(30)
            for f in range(60)
            if wanted[t, f] > 0
        )
        middle = len(errors) // 2
        median = errors[middle] if len(errors) % 2 else (errors[middle - 1] + errors[middle]) / 2
        assert figures.relative_error == pytest.approx(median)

    def test_overlap(self, pair, figures: Figures):
        found, wanted = pair
        shares = []
        for token in range(30):
            count = min(20, int((wanted[token] > 0).sum()))
            ours = sorted(range(60), key=lambda f, t=token: -found[t, f])[:count]
            theirs = sorted(range(60), key=lambda f, t=token: -wanted[t, f])[:count]
            shares.append(len(set(ours) & set(theirs)) / count)
        assert figures.top_overlap == pytest.approx(np.mean(shares), abs=0.01)

    def test_largest_error_is_of_what_fires_in_both(self, pair, figures: Figures):
        found, wanted = pair
        errors = [
            abs(float(found[t, f]) - float(wanted[t, f])) / max(1.0, float(wanted[t, f]))
            for t in range(30)
            for f in range(60)
            if wanted[t, f] > 0 and found[t, f] > 0
        ]
        assert figures.largest_error == pytest.approx(max(errors))

    def test_logits(self):
        tally = gate._Tally()
        wanted = np.array([[1.0, 5.0, 2.0], [9.0, 8.5, 0.0]], np.float32)
        found = np.array([[1.2, 5.0, 2.0], [8.6, 8.7, 0.0]], np.float32)
        tally.add_logits(found, wanted)
        figures = tally.figures()
        assert figures.logits_error == pytest.approx(0.2, rel=1e-5)
        assert figures.argmax_agreement == 0.5

    def test_equal_is_perfect_and_nothing_is_too(self):
        tally = gate._Tally()
        values = np.eye(4, dtype=np.float32)
        tally.add(values, values)
        found = tally.figures()
        assert (found.top_overlap, found.relative_error, found.flips, found.largest_error) == (1, 0, 0, 0)
        empty = gate._Tally().figures()
        assert (empty.n_tokens, empty.top_overlap) == (0, 1)
        assert GATES["int8"].missed(empty) == ["no feature fires on the text: nothing was compared"]

    def test_what_is_no_number_is_never_within_a_limit(self):
        for value in (np.nan, np.inf):
            tally = gate._Tally()
            wanted = np.ones((2, 3), np.float32)
            broken = wanted.copy()
            broken[1, 1] = value
            tally.add(broken, wanted)
            figures = tally.figures()
            assert all(limits.missed(figures) for limits in GATES.values()), value

    def test_they_are_the_payload(self):
        found = FINE.as_json()
        assert set(found) == set(GatePayload.__annotations__)
        assert json.loads(json.dumps(found)) == found
        assert dataclasses.replace(FINE, largest_error=1.23456e-5).as_json()["largest_error"] == 1.2e-5

    def test_they_are_told_in_words(self):
        words = FINE.words()
        for part in ("0.9990", "0.001", "L0 20", "4,096 tokens"):
            assert part in words


class TestRefusal:
    @pytest.mark.parametrize("precision", GATES)
    def test_good_figures_pass(self, precision: str):
        refuse_below(precision, {"one": dataclasses.replace(FINE, relative_error=1e-5)})

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"top_overlap": 0.94}, "top-20 overlap below 0.95"),
            ({"relative_error": 0.051}, "relative error above 0.05"),
            ({"flips": 1.1}, "flips above 0.05 of the L0"),
            ({"top_overlap": float("nan")}, "overlap"),
        ],
    )
    def test_each_figure_is_held(self, changes: dict, words: str):
        with pytest.raises(InputError) as caught:
            refuse_below("int8", {"good": FINE, "bad": dataclasses.replace(FINE, **changes)})
        assert f"bad: {words}" in caught.value.what or words in caught.value.what
        assert "good: top" not in caught.value.what.split("\n")[0]
        assert FINE.words() in caught.value.what, "all figures are told, also the good ones"
        assert caught.value.where == "browser_precision"
        assert "fp16" in caught.value.fix

    def test_the_way_out_is_the_next_precision(self):
        bad = {"one": dataclasses.replace(FINE, top_overlap=0.1)}
        for precision, fix in (("int8", "fp16"), ("fp16", "fp32"), ("fp32", "leave browser_model out")):
            with pytest.raises(InputError) as caught:
                refuse_below(precision, bad)
            assert fix in caught.value.fix
            assert caught.value.exit_code == 2

    def test_whole_weights_are_held_to_single_numbers(self):
        for name in ("largest_error", "logits_error"):
            off = dataclasses.replace(FINE, relative_error=1e-6, **{name: 2e-4})
            refuse_below("fp16", {"one": off})
            with pytest.raises(InputError, match=r"more than 0\.0001"):
                refuse_below("fp32", {"one": off})

    def test_a_wrong_top_20_is_worse_the_more_bits_there_are(self):
        assert GATES["fp32"].top_overlap > GATES["fp16"].top_overlap > GATES["int8"].top_overlap
        assert GATES["fp32"].relative_error < GATES["fp16"].relative_error < GATES["int8"].relative_error


class TestMeasured:
    """A real export of a tiny model."""

    @pytest.mark.parametrize("slug", ["standard", "transcoder"])
    def test_whole_weights_are_the_model(self, small: Exported, sample: Sample, slug: str):
        found = measure(small.engine, small.saes[slug], small.graphs(slug), runner_of(small), sample)
        assert found.n_tokens == 3 * 23
        assert found.l0 > 1, "nothing fires: nothing is compared"
        refuse_below("fp32", {slug: found})

    @pytest.mark.parametrize("precision", ["fp16", "int8"])
    def test_stored_weights_are_off_by_their_bits(self, small: Exported, sample: Sample, precision: str):
        runner = runner_of(small, precision)
        found = measure(small.engine, small.saes["standard"], small.graphs("standard"), runner, sample)
        low, high = {"fp16": (1e-6, 1e-3), "int8": (1e-4, 0.05)}[precision]
        assert low < found.relative_error < high

    def test_a_changed_weight_is_seen(self, small: Exported, sample: Sample):
        name = next(each for each in small.model.tensors if each.endswith("standard.W_enc"))
        wrong = dict(small.model.tensors) | {name: small.model.tensors[name] * np.float32(1.02)}
        model = dataclasses.replace(small.model, tensors=wrong)
        runner = Runner(write_files(model, "fp32"), model.decoder)
        found = measure(small.engine, small.saes["standard"], small.graphs("standard"), runner, sample)
        with pytest.raises(InputError, match="relative error above"):
            refuse_below("fp32", {"standard": found})

    def test_a_layer_above_the_sae_is_seen_in_the_logits(self, small: Exported, sample: Sample):
        activations = set(small.model.needs(small.graphs("standard").activations))
        above = next(
            name
            for name in small.model.needs(small.graphs("standard").steer)
            if name not in activations and small.model.tensors[name].ndim == 2
        )
        wrong = dict(small.model.tensors) | {above: small.model.tensors[above] * np.float32(1.05)}
        model = dataclasses.replace(small.model, tensors=wrong)
        runner = Runner(write_files(model, "fp32"), model.decoder)
        found = measure(small.engine, small.saes["standard"], small.graphs("standard"), runner, sample)
        assert found.largest_error < 1e-4
        with pytest.raises(InputError, match="a logit off by more"):
            refuse_below("fp32", {"standard": found})

    @pytest.mark.parametrize("slug", ["standard", "transcoder"])
    def test_the_reference_of_steering_is_its_definition(self, small: Exported, slug: str):
        """Written once more in plain steps, one feature at a time."""
        ids = token_ids(1, 9, seed=8)
        sae = small.saes[slug]
        directions = sae.weights().W_dec[[3, 5]].numpy()
        clamp, add, target = (np.array(row, np.float32) for row in ([1, 0], [0, 2], [4, 0]))
        steering = Steering(np.array([3, 5]), directions, add, target, clamp)
        mask = np.ones((1, 9), np.float32)
        mask[0, 0] = 0
        found = gate.reference_logits(small.engine, sae, ids, steering, mask)
        values = gate.reference_activations(small.engine, sae, ids)

        def change(stream: torch.Tensor) -> torch.Tensor:
            new = stream.clone()
            for position in range(1, 9):
                missing = 4.0 - float(values[0, position, 3])
                new[0, position] += missing * torch.from_numpy(directions[0])
                new[0, position] += 2.0 * torch.from_numpy(directions[1])
            return new

        hook = sae.facts.hook_name_out or sae.facts.hook_name
        wanted = small.engine.logits(torch.from_numpy(ids), {hook: change})[:, -1].numpy()
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
        nothing = gate.reference_logits(small.engine, sae, ids, no_steering(directions.shape[1]), mask)
        assert np.abs(nothing - wanted).max() > 0.01, "steering did something"

    def test_the_cache_is_handed_on(self, small: Exported):
        """Prompt once and a token a step gives what the whole sequence gives."""
        runner, graphs = runner_of(small), small.graphs("standard")
        ids = token_ids(1, 12, seed=9)
        directions = small.saes["standard"].weights().W_dec[[7]].numpy()
        one = np.ones(1, np.float32)
        steering = Steering(np.array([7]), directions, 3 * one, 0 * one, 0 * one)
        whole = runner.step(graphs, ids, steering, np.ones((1, 12), np.float32))
        step = runner.step(graphs, ids[:, :9], steering, np.ones((1, 9), np.float32))
        for place in range(9, 12):
            mask = np.ones((1, 1), np.float32)
            step = runner.step(graphs, ids[:, place : place + 1], steering, mask, step.cache)
        np.testing.assert_allclose(step.logits, whole.logits, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(step.measured[:, -1], whole.measured[:, -1], rtol=1e-4, atol=1e-5)
        same = small.steer("standard", ids, steering_of(ids, [7], directions, add=3.0))["logits"]
        np.testing.assert_allclose(whole.logits, same, rtol=1e-5, atol=1e-5)


class TestSample:
    def contexts(self, *lengths: int, size: int = 10) -> list[SimpleNamespace]:
        rows = [np.r_[np.arange(1, n + 1), np.full(size - n, -1)].astype(np.int32) for n in lengths]
        return [SimpleNamespace(token_ids=row, n_tokens=int((row >= 0).sum())) for row in rows]

    def test_it_is_whole_contexts(self):
        found = sample_of(self.contexts(10, 10, 4), Mask.of(MaskConfig(), []), masked=1)
        assert found.token_ids.shape == (2, 10)
        assert found.token_ids.dtype == np.int64
        assert found.counted.all()

    def test_it_is_no_longer_than_it_must_be(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(gate, "GATE_TOKENS", 18)
        mask = Mask.of(MaskConfig(), [1])
        found = sample_of(self.contexts(*[10] * 9), mask, masked=0)
        assert found.token_ids.shape == (2, 10)
        assert found.counted.sum() == 18
        assert not found.counted[:, 0].any()

    def test_a_short_corpus_is_taken_as_it_is(self):
        found = sample_of(self.contexts(4), Mask.of(MaskConfig(), []), masked=0)
        assert found.token_ids.tolist() == [[1, 2, 3, 4]]

    def test_no_text_is_said(self):
        with pytest.raises(InputError, match="no text"):
            sample_of([], Mask.of(MaskConfig(), []), masked=0)
