"""YAML from strangers: limits, positions, and nothing ever executed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.configfile import read_yaml, yamlfile
from atlas.configfile.yamlfile import YamlFile, dotted, printable
from atlas.errors import AtlasError, ConfigError, InputError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{name}: &{name} [{', '.join([f'*{previous}'] * 9)}]"
    for previous, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture
def read(tmp_path: Path):
    def call(text: str | bytes) -> YamlFile:
        path = tmp_path / "file.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_yaml(path)

    return call


class TestValues:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("1", 1), ("-1", -1), ("+1", 1), ("1_000", 1000), ("0x1F", 31), ("0o17", 15), ("0b101", 5),
            ("012", 12),
            ("1.5", 1.5), ("1e3", 1000.0), ("-.5", -0.5), ("true", True), ("False", False), ("yes", "yes"),
            ("null", None), ("~", None), ("", None), ("text", "text"), ("'1'", "1"), ('"true"', "true"),
            ("2020-01-01", "2020-01-01"), ("!!str 5", "5"), ("|\n  a\n  b", "a\nb"), ("[]", []), ("{}", {}),
            ("[1, [2]]", [1, [2]]), ("{b: {c: 1}}", {"b": {"c": 1}}), ('"\\u00e9\\x41"', "éA"),
        ],
    )  # fmt: skip
    def test_scalars_lists_mappings(self, read, text: str, value: object):
        file = read(f"a: {text}")
        assert file.data == {"a": value}
        assert type(file.data["a"]) is type(value)
        assert file.problems == []

    def test_places(self, read):
        file = read("# comment\na:\n  b: 1\n\n  c:\n    - x\n    - d: y\n")
        assert file.lines == {
            (): 2, ("a",): 2, ("a", "b"): 3, ("a", "c"): 5, ("a", "c", 0): 6, ("a", "c", 1): 7,
            ("a", "c", 1, "d"): 7,
        }  # fmt: skip
        assert file.typed == {("a", "b"): "1", ("a", "c", 0): "x", ("a", "c", 1, "d"): "y"}

    def test_where_goes_to_the_nearest_place_that_exists(self, read):
        file = read("a:\n  b: 1\n")
        assert file.where(("a", "b")) == f"{file.name}:2, a.b"
        assert file.where(("a", "b", "c", 4)) == f"{file.name}:2, a.b.c.4"
        assert file.where(("x",)) == f"{file.name}:1, x"
        assert file.where(()) == f"{file.name}:1"
        assert file.line(("a", "zzz")) == 1

    def test_keys_that_are_no_text(self, read):
        assert read("1: a\ntrue: b\n~: c\n").data == {"1": "a", "true": "b", "~": "c"}

    def test_merge_keys_give_way_to_own_keys(self, read):
        file = read("base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\nall:\n  y: 9\n  <<: [*b, *m]\n")
        assert file.data["all"] == {"x": 1, "y": 9, "z": 4}
        assert file.lines["all", "y"] == 4

    def test_aliases_share_a_value(self, read):
        assert read("a: &x [1, 2]\nb: *x\n").data == {"a": [1, 2], "b": [1, 2]}

    def test_an_anchor_may_be_used_again(self, read):
        assert read("a: &x 1\nb: *x\nc: &x 2\nd: *x\n").data == {"a": 1, "b": 1, "c": 2, "d": 2}


class TestProblems:
    @pytest.mark.parametrize(
        ("text", "what"),
        [
            ("a: 1\na: 2", "the key 'a' occurs twice (first in line 1)"),
            ("a: !!python/object/apply:os.system [x]", "the tag"),
            ("a: !!python/name:os.system", "the tag"),
            ("a: !custom 1", "the tag '!custom' is not allowed"),
            ("a: !!binary aGk=", "not allowed"),
            ("a: !!set {x, y}", "not allowed"),
            ("a: .inf", "'.inf' is not a number"),
            ("a: -.Inf", "is not a number"),
            ("a: .NaN", "is not a number"),
            ("a: 1e999", "is not a number"),
            ("a: " + "9" * 5000, "is not a number"),
            ("a: !!int x", "'x' is not a number"),
            ("a: !!float x", "'x' is not a number"),
            ("? [1, 2]\n: 3", "a key must be a single word"),
            ("? {a: b}\n: 3", "a key must be a single word"),
            ("a: {<<: 5}", "`<<` takes a mapping"),
            ("a: {<<: [1, {b: 2}]}", "`<<` takes a mapping"),
            ("a: &x [*x]", "an alias refers to the value it stands in"),
            ("a: &x {b: {c: *x}}", "an alias refers to the value it stands in"),
            ("a: &x {<<: *x}", "an alias refers to the value it stands in"),
        ],
    )
    def test_single_values(self, read, text: str, what: str):
        (problem,) = read(text).problems
        assert what in problem.what
        assert problem.what.isprintable()
        assert len(problem.what) < 200

    def test_all_of_them(self, read):
        file = read("a: .inf\nb: !x 1\nc: 1\nc: 2\nd: ok")
        assert [problem.where.split(":")[-1] for problem in file.problems] == ["1, a", "2, b", "4"]
        assert file.data == {"c": 1, "d": "ok"}

    def test_a_bad_entry_of_a_list_keeps_the_places_of_the_others(self, read):
        assert read("a: [1, .inf, 3]").data == {"a": [1, None, 3]}


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "what", "line"),
        [
            ("", "the file is empty", 0),
            ("# only a comment\n", "the file is empty", 0),
            ("just text", "the file holds no keys", 0),
            ("- a\n- b", "the file holds no keys", 0),
            ("a:\n\tb: 1", "a tab stands where YAML wants spaces", 2),
            ("a: 1\n  b: 2", "not YAML: mapping values are not allowed here", 2),
            ("a: b: c", "not YAML: mapping values are not allowed here", 1),
            ("a: [1, 2", "not YAML: expected ',' or ']'", 1),
            ("a: 'x\n\n", "not YAML: found unexpected end of stream", 3),
            ("a: @x", "not YAML: found character '@' that cannot start any token", 1),
            ("a: 1\n---\nb: 2", "not YAML: but found another document", 2),
            ("a: *nothing", "not YAML: found undefined alias 'nothing'", 1),
            ("%YAML 9.0\n---\na: 1", "not YAML: found incompatible YAML document", 1),
            ("%YAML 1.0\n---\na: 1", "this file cannot be read as YAML", 0),
            ("a: \x01", "not YAML: unacceptable character #x0001", 0),
            ("a: \x00", "not YAML: unacceptable character #x0000", 0),
            (b"title: \xff\n", "byte 0xFF is not UTF-8 text", 1),
            (b"a: 1\nb: caf\xe9\n", "byte 0xE9 is not UTF-8 text", 2),
            ("a: é".encode("utf-16"), "is not UTF-8 text", 1),
            ("a: " + "[" * 41, "nested deeper than 40", 1),
            ("a: " + "[" * 100_000, "nested deeper than 40", 1),
            ("a:\n" + "- x\n" * 20_001, "more than 20,000 values", 19_999),
            ("a: &x 1\nb: [" + "*x, " * 201 + "]", "more than 200 aliases", 2),
            (BOMB, "aliases repeat more than 20,000 values", 0),
        ],
    )
    def test_one_clear_error(self, read, text: str | bytes, what: str, line: int, tmp_path: Path):
        start = time.process_time()
        with pytest.raises(ConfigError) as caught:
            read(text)
        assert time.process_time() - start < 20
        (problem,) = caught.value.problems
        assert what in problem.what
        assert problem.what.isprintable()
        assert problem.where == str(tmp_path / "file.yaml") + (f":{line}" if line else "")

    def test_the_size_is_limited_before_anything_is_parsed(self, read, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(yamlfile, "_compose", lambda *_: pytest.fail("parsed"))
        with pytest.raises(ConfigError) as caught:
            read(b"#" * 1_000_001)
        assert "larger than 1,000,000 bytes" in caught.value.problems[0].what

    def test_a_file_of_the_largest_size_is_read(self, read):
        text = "a: 1\n#"
        assert read(text + "x" * (1_000_000 - len(text))).data == {"a": 1}

    @pytest.mark.parametrize("name", ["missing.yaml", "a\0b", "x" * 5000])
    def test_files_that_are_not_there(self, tmp_path: Path, name: str):
        with pytest.raises(InputError) as caught:
            read_yaml(tmp_path / name)
        assert not isinstance(caught.value, ConfigError)

    def test_a_folder(self, tmp_path: Path):
        with pytest.raises(InputError, match="cannot be read"):
            read_yaml(tmp_path)

    @given(data=st.binary(max_size=60))
    def test_any_bytes_are_a_mapping_or_a_clear_error(self, tmp_path: Path, data: bytes):
        path = tmp_path / "any.yaml"
        path.write_bytes(data)
        try:
            assert isinstance(read_yaml(path).data, dict)
        except AtlasError as error:
            assert str(error)  # noqa: PT017 - both outcomes are right

    @given(text=st.text(st.sampled_from("ab:-[]{}&*!|>?%@`'\"#,\n\t \\x0"), max_size=40))
    def test_any_punctuation_is_a_mapping_or_a_clear_error(self, tmp_path: Path, text: str):
        path = tmp_path / "any.yaml"
        path.write_text(text)
        try:
            assert isinstance(read_yaml(path).data, dict)
        except AtlasError as error:
            assert str(error)  # noqa: PT017 - both outcomes are right


class TestPrintable:
    def test_controls_are_escaped_and_long_texts_cut(self):
        assert printable("a\x1b[31m\n\u202eé") == "a\\x1b[31m\\n\\u202eé"
        assert printable("x" * 500) == "x" * 119 + "…"

    def test_dotted(self):
        assert dotted(("saes", 0, "slug")) == "saes.0.slug"
        assert dotted(("a\x07",)) == "a\\x07"

    @given(text=st.text())
    def test_always_printable(self, text: str):
        assert printable(text).isprintable()
