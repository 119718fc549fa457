from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.enrich import user_file
from atlas.enrich.user_file import KEYS, read_explanations
from atlas.errors import ConfigError, InputError

SIZES = {"alpha": 10, "beta": 3}


def lines_of(*rows: object) -> bytes:
    return b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)


def problem(tmp_path, line: object, sizes=SIZES) -> InputError:
    """The one problem of a file whose second line is `line`."""
    path = tmp_path / "own.jsonl"
    path.write_bytes(lines_of({"sae": "alpha", "feature_idx": 9, "text": "fine"}, line))
    with pytest.raises(ConfigError) as caught:
        read_explanations(path, sizes)
    (only,) = caught.value.problems
    assert only.where == f"{path}:2"
    return only


def test_all_columns_are_filled_in(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_bytes(
        lines_of(
            {"sae": "beta", "feature_idx": 2, "text": "plain"},
            b"",
            {"sae": "alpha", "feature_idx": 0, "text": "scored", "score": 1},
            {
                "sae": "alpha",
                "feature_idx": 1,
                "text": "named",
                "score": 0.25,
                "score_name": "F1",
                "method": "LLM",
            },
            {"sae": "alpha", "feature_idx": 2, "text": "unscored", "score": None, "score_name": "F1"},
        )
    )
    assert read_explanations(path, SIZES) == {
        "alpha": {
            0: {"text": "scored", "method": "explanations file", "score": 1.0, "score_name": "score"},
            1: {"text": "named", "method": "LLM", "score": 0.25, "score_name": "F1"},
            2: {"text": "unscored", "method": "explanations file", "score": None, "score_name": ""},
        },
        "beta": {2: {"text": "plain", "method": "explanations file", "score": None, "score_name": ""}},
    }


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"  \r\n"])
def test_an_empty_file_explains_nothing(tmp_path, content):
    path = tmp_path / "own.jsonl"
    path.write_bytes(content)
    assert read_explanations(path, SIZES) == {"alpha": {}, "beta": {}}


def test_byte_order_mark_and_windows_lines_are_fine(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"feature_idx": 0, "text": "a"}\r\n{"feature_idx": 1, "text": "b"}\r\n')
    assert {i: row["text"] for i, row in read_explanations(path, {"only": 2})["only"].items()} == {
        0: "a",
        1: "b",
    }


def test_one_sae_needs_no_name_and_two_do(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_bytes(lines_of({"feature_idx": 0, "text": "a"}))
    assert 0 in read_explanations(path, {"only": 1})["only"]
    found = problem(tmp_path, {"feature_idx": 0, "text": "a"})
    assert "'sae' is missing" in found.what
    assert "'alpha'" in found.fix


@pytest.mark.parametrize("text", ["<script>", "a\nb", "\u202e", "日本 🏳️‍🌈", "\x00", "x" * 1000])
def test_texts_are_kept_exactly(tmp_path, text):
    path = tmp_path / "own.jsonl"
    path.write_bytes(lines_of({"sae": "alpha", "feature_idx": 0, "text": text}))
    assert read_explanations(path, SIZES)["alpha"][0]["text"] == text


GOOD = {"sae": "alpha", "feature_idx": 0, "text": "x"}


@pytest.mark.parametrize(
    ("line", "what", "fix"),
    [
        (b"{", "not JSON", "one object a line"),
        (b"nothing", "not JSON", "one object a line"),
        (b"[1]", "a JSON object was expected, not [1]", ""),
        (b'"text"', "a JSON object was expected", ""),
        (b"\xff{}", "not UTF-8 (byte 1)", "UTF-8"),
        (b"[" * 60000, "nested too deeply", ""),
        (b'{"score": ' + b"9" * 5000 + b"}", "not JSON: a number is too long", ""),
        (b'{"sae": "alpha", "feature_idx": 0, "text": "x", "score": NaN}', "NaN is not JSON", ""),
        (b'{"score": -Infinity}', "-Infinity is not JSON", ""),
        (b'{"text": "' + b"x" * 70000 + b'"}', "70,012 bytes", "65,536"),
        ({**GOOD, "explanation": "y"}, 'unknown key "explanation"', ""),
        ({**GOOD, "Score": 1}, 'unknown key "Score"', "'score'"),
        ({**GOOD, "sae": "alhpa"}, 'no SAE "alhpa"', "'alpha'"),
        ({**GOOD, "sae": 3}, "no SAE 3", "'alpha'"),
        ({**GOOD, "sae": {"a": ["b"]}}, 'no SAE {"a": ["b"]}', ""),
        ({"sae": "alpha", "text": "x"}, "'feature_idx' is missing", "from 0 to 9"),
        ({**GOOD, "feature_idx": 10}, "no feature 10", "from 0 to 9"),
        ({**GOOD, "feature_idx": -1}, "no feature -1", "from 0 to 9"),
        ({**GOOD, "feature_idx": 1.0}, "no feature 1.0", "whole numbers"),
        ({**GOOD, "feature_idx": True}, "no feature true", "whole numbers"),
        ({**GOOD, "feature_idx": "1"}, 'no feature "1"', "whole numbers"),
        ({"sae": "alpha", "feature_idx": 0}, "'text' is missing", "explanation"),
        ({**GOOD, "text": " \n"}, "'text' is", "not empty"),
        ({**GOOD, "text": ["x"]}, "'text' is", "text and not empty"),
        ({**GOOD, "text": "x" * 1001}, "1,001 characters", "1,000"),
        (b'{"sae": "alpha", "feature_idx": 0, "text": "\\ud800"}', "half a surrogate pair", ""),
        ({**GOOD, "method": ""}, "'method' is", "not empty"),
        ({**GOOD, "method": "m" * 101}, "101 characters", "100"),
        ({**GOOD, "score_name": 3}, "'score_name' is 3", ""),
        ({**GOOD, "score": 1.5}, "'score' is 1.5", "between 0 and 1"),
        ({**GOOD, "score": -0.1}, "'score' is -0.1", "between 0 and 1"),
        ({**GOOD, "score": True}, "'score' is true", "between 0 and 1"),
        ({**GOOD, "score": "0.5"}, "'score' is \"0.5\"", "between 0 and 1"),
        ({**GOOD, "feature_idx": 9}, "already has an explanation on line 1", ""),
    ],
)  # fmt: skip
def test_each_bad_line_names_value_and_way_out(tmp_path, line, what, fix):
    found = problem(tmp_path, line)
    assert what in found.what
    assert fix in found.fix
    assert len(str(found)) < 600


def test_all_bad_lines_are_reported_at_once(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_bytes(lines_of(b"{", GOOD, {**GOOD, "score": 7}, GOOD))
    with pytest.raises(ConfigError) as caught:
        read_explanations(path, SIZES)
    assert [error.where for error in caught.value.problems] == [f"{path}:{n}" for n in (1, 3, 4)]
    assert caught.value.exit_code == 2


def test_a_flood_of_bad_lines_is_cut(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_bytes(b"{\n" * 3000)
    with pytest.raises(ConfigError) as caught:
        read_explanations(path, SIZES)
    assert len(caught.value.problems) == 51
    assert "2950 more" in caught.value.problems[-1].what


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="does not exist") as caught:
        read_explanations(tmp_path / "none.jsonl", SIZES)
    assert "none.jsonl" in caught.value.where


def test_a_huge_file_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(user_file, "MAX_BYTES", 100)
    path = tmp_path / "own.jsonl"
    path.write_bytes(b"x" * 101)
    with pytest.raises(InputError, match="larger than 100"):
        read_explanations(path, SIZES)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.floats(),
    st.text(max_size=8),
    st.just("alpha"),
    st.lists(st.integers(), max_size=2),
)
OBJECTS = st.dictionaries(st.sampled_from([*KEYS, "other"]), VALUES).map(lambda row: json.dumps(row).encode())


@given(st.lists(st.one_of(st.binary(max_size=40), OBJECTS), max_size=6))
def test_no_file_breaks_it(tmp_path, lines):
    path = tmp_path / "own.jsonl"
    path.write_bytes(b"\n".join(lines))
    with contextlib.suppress(ConfigError):
        assert set(read_explanations(path, SIZES)) == set(SIZES)


def test_the_configuration_names_the_keys():
    from atlas.config import EnrichConfig

    described = EnrichConfig.model_fields["explanations"].description or ""
    assert all(key in described for key in ("sae", "feature_idx", "text", "method", "score"))
