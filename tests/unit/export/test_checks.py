"""What a browser compares itself with: texts that trip tokenizers, and runs whose every choice is clear."""

from __future__ import annotations

import json
import unicodedata

import numpy as np
import pytest

from atlas.export.onnx import checks
from atlas.export.onnx.checks import activation_checks, checks_file, reference_runs
from atlas.export.onnx.files import write_files
from atlas.export.onnx.gate import Sample, reference_activations
from atlas.export.onnx.graphs import SaeGraphs
from atlas.export.onnx.running import Runner
from atlas.export.onnx.strings import nasty_strings
from atlas.store.browser_model import ActivationCheck, ModelChecks, ReferenceRun
from tests.support.exported import Exported, token_ids


class TestStrings:
    def test_there_are_many_each_once(self):
        found = nasty_strings()
        assert len(found) == len(set(found)) >= 150
        assert nasty_strings() == found

    def test_all_are_valid_unicode(self):
        for text in nasty_strings():
            assert text.encode("utf-8").decode("utf-8") == text

    @pytest.mark.parametrize(
        "category", ["Ll", "Lo", "Nd", "No", "Mn", "Zs", "Cf", "Cc", "So", "Sc", "Co", "Cn"]
    )
    def test_every_sort_of_character_is_there(self, category: str):
        assert any(unicodedata.category(each) == category for text in nasty_strings() for each in text)

    def test_what_breaks_tokenizers_is_there(self):
        found = nasty_strings()
        assert "" in found
        assert any(len(text) >= 300 for text in found)
        assert any(ord(each) > 0xFFFF for text in found for each in text)
        assert any("<|endoftext|>" in text for text in found)
        assert any(unicodedata.normalize("NFC", text) != text for text in found)
        assert any("\r\n" in text for text in found)


class Scripted:
    """A runner that gives logits by a rule: `lead(first token of the prompt)` between the best two."""

    context_size = 40

    def __init__(self, lead) -> None:
        self.lead = lead
        self.prompts: list[list[int]] = []

    def activations(self, sae, ids):
        values = np.arange(8, dtype=np.float32)[None, None] * np.ones((*ids.shape, 1), np.float32)
        return values + ids[..., :1] % 2

    def greedy(self, sae, prompt, steering, n_tokens, masked):
        self.prompts.append(prompt)
        logits = np.zeros((n_tokens, 30), np.float32)
        logits[:, 4] = 5
        logits[:, 9] = 5 - self.lead(prompt[0])
        return [4] * n_tokens, logits


def graphs(slug: str) -> SaeGraphs:
    return SaeGraphs(slug, f"{slug}.activations", f"{slug}.steer", "h", "h", d_sae=8, d_out=2)


def sample(n_contexts: int = 5, length: int = 20) -> Sample:
    ids = np.arange(n_contexts * length).reshape(n_contexts, length)
    return Sample(ids, np.ones(ids.shape, bool), masked=1)


def directions(slug, features):
    return np.array([[number, len(slug)] for number in features], np.float32)


class TestRuns:
    def test_three_runs_take_turns_of_saes_and_prompts(self):
        found = reference_runs(Scripted(lambda _: 1.0), [graphs("one"), graphs("two")], sample(), directions)
        assert [run["sae"] for run in found] == ["one", "two", "one"]
        assert len({tuple(run["prompt_ids"]) for run in found}) == 3
        assert len({run["name"] for run in found}) == 3

    def test_each_is_the_payload(self):
        found = reference_runs(Scripted(lambda _: 1.0), [graphs("one")], sample(), directions)
        for run in found:
            assert set(run) == set(ReferenceRun.__annotations__)
            assert json.loads(json.dumps(run)) == run
            assert len(run["prompt_ids"]) == checks.PROMPT_TOKENS
            assert len(run["new_tokens"]) == checks.NEW_TOKENS
            count = len(run["features"])
            assert [len(run[name]) for name in ("add", "target", "clamp")] == [count] * 3
            assert len(run["logits"]) == checks.LOGITS
            values = [value for _, value in run["logits"]]
            assert values == sorted(values, reverse=True)
            assert run["masked"] == 1

    def test_they_add_clamp_and_ablate(self):
        add, clamp, ablate = reference_runs(Scripted(lambda _: 1.0), [graphs("one")], sample(), directions)
        assert (add["clamp"], add["target"]) == ([0.0], [0.0])
        assert add["add"][0] > 0
        assert clamp["clamp"] == [1.0, 1.0]
        assert min(clamp["target"]) > 0
        assert (ablate["clamp"], ablate["target"]) == ([1.0, 1.0], [0.0, 0.0])
        assert add["features"] == [7], "the one that fires most"
        assert clamp["features"] == [7, 6]

    def test_the_first_prompt_with_a_clear_choice_is_taken(self):
        runner = Scripted(lambda first: 1.0 if first == 60 else 0.01)
        run, *_ = reference_runs(runner, [graphs("one")], sample(), directions)
        assert run["prompt_ids"][0] == 60
        assert [prompt[0] for prompt in runner.prompts[:4]] == [0, 20, 40, 60], "no further one was tried"

    def test_without_one_the_clearest_is(self):
        runner = Scripted(lambda first: 0.001 * (1 + first % 40))
        run, *_ = reference_runs(runner, [graphs("one")], sample(), directions)
        assert run["prompt_ids"][0] == 20

    def test_a_model_of_few_positions_gets_short_runs(self):
        runner = Scripted(lambda _: 1.0)
        runner.context_size = 10
        run, *_ = reference_runs(runner, [graphs("one")], sample(), directions)
        assert len(run["prompt_ids"]) == 5
        assert len(run["prompt_ids"]) + len(run["new_tokens"]) <= 10

    def test_few_features_are_enough(self):
        runner = Scripted(lambda _: 1.0)
        runner.activations = lambda sae, ids: np.ones((*ids.shape, 1), np.float32)
        found = reference_runs(runner, [graphs("one")], sample(), directions)
        assert [run["features"] for run in found] == [[0]] * 3

    def test_real_ones_are_repeated_by_the_definition(self, small: Exported):
        """Token after token, the whole sequence at once, by torch."""
        import torch

        from atlas.export.onnx.gate import reference_logits
        from atlas.export.onnx.running import Steering

        ids = token_ids(3, 20, seed=4)
        runner = Runner(write_files(small.model, "fp32"), small.model.decoder)
        rows = {slug: sae.weights().W_dec.numpy() for slug, sae in small.saes.items()}
        text = Sample(ids, np.ones(ids.shape, bool), masked=1)
        found = reference_runs(runner, small.model.saes, text, lambda slug, some: rows[slug][list(some)])
        with torch.no_grad():
            for run in found:
                steering = Steering(
                    np.array(run["features"]),
                    rows[run["sae"]][run["features"]],
                    *(np.array(run[name], np.float32) for name in ("add", "target", "clamp")),
                )
                sequence = list(run["prompt_ids"])
                logits = np.zeros(0)
                for token in run["new_tokens"]:
                    mask = np.ones((1, len(sequence)), np.float32)
                    mask[0, : run["masked"]] = 0
                    given = np.array([sequence], np.int64)
                    (logits,) = reference_logits(small.engine, small.saes[run["sae"]], given, steering, mask)
                    assert int(np.argmax(logits)) == token
                    sequence.append(token)
                for token, value in run["logits"]:
                    assert logits[token] == pytest.approx(value, abs=1e-3)


class TestActivations:
    def test_each_sae_has_the_strongest_of_one_text(self):
        saes = [graphs("one"), graphs("two")]
        found = activation_checks(Scripted(lambda _: 1.0), saes, sample())
        assert [set(check) for check in found] == [set(ActivationCheck.__annotations__)] * 2
        assert [check["sae"] for check in found] == ["one", "two"]
        assert found[0]["ids"] == list(range(checks.PROMPT_TOKENS))
        # The scripted activations of a token are 0 to 7: what does not fire is not stored.
        assert found[1]["strongest"] == [[[each, float(each)] for each in range(7, 0, -1)]] * 16

    def test_no_more_than_eight_are_stored_the_lowest_feature_first_among_equals(self):
        class Equal(Scripted):
            def activations(self, sae, ids):
                return np.ones((*ids.shape, 20), np.float32)

        (check,) = activation_checks(Equal(lambda _: 1.0), [graphs("one")], sample())
        assert check["strongest"][0] == [[each, 1.0] for each in range(checks.STRONGEST)]

    def test_a_short_context_is_half_filled(self):
        runner = Scripted(lambda _: 1.0)
        runner.context_size = 8
        (check,) = activation_checks(runner, [graphs("one")], sample())
        assert (len(check["ids"]), len(check["strongest"])) == (4, 4)

    def test_they_are_what_torch_computes(self, small: Exported):
        ids = token_ids(3, 20, seed=4)
        runner = Runner(write_files(small.model, "fp32"), small.model.decoder)
        text = Sample(ids, np.ones(ids.shape, bool), masked=1)
        for check in activation_checks(runner, small.model.saes, text):
            given = np.array([check["ids"]], np.int64)
            reference = reference_activations(small.engine, small.saes[check["sae"]], given)[0]
            for row, stored in zip(reference, check["strongest"], strict=True):
                assert len(stored) == min(checks.STRONGEST, int((row > 0).sum()))
                for feature, value in stored:
                    assert row[feature] == pytest.approx(value, abs=1e-4)


class TestFile:
    def test_it_is_the_payload_in_ascii(self):
        data = checks_file([{"name": "one"}], [{"sae": "a"}], lambda text: [len(text)])
        content = json.loads(data.decode("ascii"))
        assert set(content) == set(ModelChecks.__annotations__)
        assert [text for text, _ in content["tokenizer"]] == nasty_strings()
        assert all(ids == [len(text)] for text, ids in content["tokenizer"])
        assert content["runs"] == [{"name": "one"}]
        assert content["activations"] == [{"sae": "a"}]

    def test_what_json_cannot_say_is_an_error(self):
        with pytest.raises(ValueError, match="JSON"):
            checks_file([{"add": float("nan")}], [], lambda _: [])
