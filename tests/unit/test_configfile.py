"""`site_config.yaml`: every problem at once, each with its line, its value as typed and the way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from atlas.config import SiteConfig
from atlas.configfile import LoadedConfig, json_schema, load_config, parse_size
from atlas.errors import ConfigError, InputError
from atlas.plugins import available

GOOD = """\
title: My atlas
model:
  name: gpt2
saes:
  - folder: sae
corpus:
  kind: text
  paths: [texts]
"""

BAD = """\
title: 2024
descripton: x
model:
  name: gpt2
  engine: transfomers
  dtype: float23
saes:
  - folder: a
    release: b
    slug: My Slug
  - slug: x
    slug: y
corpus:
  kind: txt
  tokens: 1M
  context_size: 1
render:
  site_budget: big
  theme: dark
output:
  data: ..
"""


@pytest.fixture
def load(tmp_path: Path):
    """`load(text)` writes a configuration and reads it."""

    def call(text: str | bytes, name: str = "site_config.yaml") -> LoadedConfig:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        return load_config(path)

    return call


@pytest.fixture
def problems(load):
    """`problems(text)` gives what is wrong with it: (line, key, what, fix) each."""

    def call(text: str | bytes) -> list[tuple[int, str, str, str]]:
        with pytest.raises(ConfigError) as caught:
            load(text)
        found = []
        for problem in caught.value.problems:
            place = re.fullmatch(r".*site_config\.yaml(?::(\d+))?(?:, (.*))?", problem.where)
            assert place, problem.where
            found.append((int(place[1] or 0), place[2] or "", problem.what, problem.fix))
        return found

    return call


def changed(old: str, new: str) -> str:
    """The good configuration with one text replaced."""
    assert old in GOOD
    return GOOD.replace(old, new, 1)


class TestGood:
    def test_values_and_defaults(self, load, tmp_path: Path):
        loaded = load(GOOD)
        assert loaded.config.title == "My atlas"
        assert loaded.config.corpus.paths == ["texts"]
        assert loaded.config.stream.top_examples == 20
        assert loaded.path == tmp_path / "site_config.yaml"
        assert loaded.base == tmp_path

    def test_lines(self, load):
        lines = load(GOOD).lines
        assert lines == {
            "title": 1, "model": 2, "model.name": 3, "saes": 4, "saes.0": 5, "saes.0.folder": 5,
            "corpus": 6, "corpus.kind": 7, "corpus.paths": 8, "corpus.paths.0": 8,
        }  # fmt: skip

    def test_the_pass_section_has_its_own_name_in_the_file(self, load):
        assert load(GOOD + "pass: {top_examples: 7}").config.stream.top_examples == 7

    @pytest.mark.parametrize("section", ["pass", "enrich", "render", "output", "pass:\n  mask"])
    def test_an_empty_section_has_its_defaults(self, load, section: str):
        assert load(f"{GOOD}{section}:\n").config == load(GOOD).config

    def test_byte_order_mark_and_windows_lines(self, load):
        assert load("\ufeff" + GOOD.replace("\n", "\r\n")).config == load(GOOD).config

    def test_anchors_and_merge_keys(self, load):
        text = changed(
            "  - folder: sae\n",
            "  - &first {folder: a, slug: a, prepend_bos: false}\n  - {<<: *first, folder: b, slug: b}\n",
        )
        first, second = load(text).config.saes
        assert (second.folder, second.slug, second.prepend_bos) == ("b", "b", first.prepend_bos)

    def test_json_is_yaml(self, load):
        text = '{"title": "My atlas", "model": {"name": "gpt2"}, "saes": [{"folder": "sae"}],'
        text += '"corpus": {"kind": "text", "paths": ["texts"]}}'
        assert load(text).config == load(GOOD).config

    def test_numbers_as_people_write_them(self, load):
        for written in ("1_000_000", "1e6", "1000000", '"1000000"', "0xF4240"):
            assert load(f"{GOOD}  tokens: {written}").config.corpus.tokens == 1_000_000

    def test_texts_that_look_like_something_else(self, load):
        assert load(changed("My atlas", '"2024"')).config.title == "2024"
        assert load(changed("My atlas", "2024-01-01")).config.title == "2024-01-01"
        assert load(changed("My atlas", "no")).config.title == "no"

    def test_the_documented_example(self, root: Path):
        loaded = load_config(root / "site_config.yaml")
        assert loaded.config.saes

    def test_a_relative_path_has_an_absolute_base(
        self, load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        load(GOOD)
        monkeypatch.chdir(tmp_path)
        assert load_config("site_config.yaml").base == tmp_path

    def test_a_theme_folder(self, load, tmp_path: Path):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine/theme.yaml").touch()
        assert load(GOOD + "render: {theme: mine}").config.render.theme == "mine"


class TestAllAtOnce:
    def test_every_problem_with_its_line_in_order(self, problems):
        found = problems(BAD)
        assert [(line, key) for line, key, _, _ in found] == [
            (1, "title"), (2, "descripton"), (5, "model.engine"), (6, "model.dtype"), (9, "saes.0.release"),
            (10, "saes.0.slug"), (11, "saes.1"), (12, "saes.1"), (14, "corpus.kind"), (15, "corpus.tokens"),
            (16, "corpus.context_size"), (18, "render.site_budget"), (19, "render.theme"),
            (21, "output.data"),
        ]  # fmt: skip

    def test_the_message_counts_and_names_the_file(self, load, tmp_path: Path):
        with pytest.raises(ConfigError) as caught:
            load("a: 1\nb: 2")
        path = tmp_path / "site_config.yaml"
        assert str(caught.value).startswith(f"6 problems in {path}\n")
        assert caught.value.exit_code == 2
        assert str(caught.value).count(f"{path}:") == 6

    def test_missing_keys_say_what_they_are(self, problems):
        found = {
            what: (line, fix) for line, _, what, fix in problems("title: x\nmodel: {engine: transformers}\n")
        }
        assert found["the required key 'saes' is missing"][0] == 1
        line, fix = found["the required key 'name' is missing"]
        assert line == 2
        assert "`model.name`" in fix
        assert "Hugging Face model name" in fix


class TestWords:
    """One wrong value → what the message says."""

    @pytest.mark.parametrize(
        ("old", "new", "what", "fix"),
        [
            ("title: My atlas", "title: 2024", "'2024' must be text", 'quotes: "2024"'),
            ("title: My atlas", "title: 1e5", "'1e5' must be text", 'quotes: "1e5"'),
            ("title: My atlas", "title: ''", "'' must have at least 1 character", ""),
            ("title: My atlas", "title: '  '", "'  ' is blank", "write a name"),
            ("title: My atlas", 'title: "\\t\\u00a0\\n"', "is blank", "write a name"),
            ("title: My atlas", "title: [a]", "this list must be text", ""),
            ("title: My atlas", "title:", "the empty value must be text", ""),
            ("title:", "titel:", "unknown key 'titel'", "did you mean 'title'"),
            ("  name: gpt2", "  name: gpt2\n  titel: x", "unknown key 'titel'", "did you mean 'dtype'"),
            ("  name: gpt2", "  name: gpt2\n  seed: 1", "unknown key 'seed'", "belongs to `corpus`"),
            ("  name: gpt2", "  name: gpt2\n  title: x", "unknown key 'title'", "the top of the file"),
            ("  name: gpt2", "  name: gpt2\n  dtype: half", "'half' is not one of the choices", "'float16'"),
            ("  name: gpt2", "  name: gpt2\n  trust_remote_code: maybe", "must be true or false", ""),
            ("model:\n  name: gpt2", "model: gpt2", "'gpt2' must be a section of keys", "indented lines"),
            ("model:\n  name: gpt2", "model:", "the empty value must be a section", ""),
            ("  - folder: sae", "  folder: sae", "this section must be a list", ""),
            ("saes:\n  - folder: sae", "saes: []", "this list must have at least 1 entry", ""),
            ("[texts]", "texts", "'texts' must be a list", "[texts]"),
            ("[texts]", "[texts, 5]", "'5' must be text", ""),
            ("kind: text", "kind: text\n  tokens: 1M", "'1M' must be a whole number", "digits only"),
            ("kind: text", "kind: text\n  tokens: 1.5", "'1.5' must be a whole number", "digits only"),
            ("kind: text", "kind: text\n  tokens: 0", "'0' must be at least 1", ""),
            ("kind: text", "kind: text\n  tokens: true", "'true' must be a whole number", "digits"),
            ("kind: text", "kind: text\n  tokens: .inf", "'.inf' is not a number", ""),
            ("kind: text", "kind: text\n  tokens: 1" + "0" * 5000, "is not a number", ""),
            ("title: My", "base_url: www.x.org\ntitle: My", "'www.x.org' must be a web address", "https://"),
            ("- folder: sae", "- folder: sae\n    slug: A/B", "'A/B' may hold only", "'a-b'"),
            ("- folder: sae", "- folder: sae\n    slug: data", "'data' is reserved", "'sae-data'"),
            ("- folder: sae", "- folder: sae\n    norm_scaling_factor: 0", "'0' must be greater than 0", ""),
            ("- folder: sae", "- folder: sae\n    norm_scaling_factor: x", "'x' must be a number", "0.5"),
            ("title:", "enrich: {umap_min_dist: 2}\ntitle:", "'2' must be at most 1", ""),
        ],
    )  # fmt: skip
    def test_one_wrong_value(self, problems, old: str, new: str, what: str, fix: str):
        found = problems(changed(old, new))
        matching = [(w, f) for _, _, w, f in found if what in w]
        assert len(matching) == 1, found
        assert fix in matching[0][1]

    def test_the_terminal_is_safe_from_values_and_keys(self, load):
        text = GOOD + '"\\e[31mkey": 1\nrender: {theme: "\\e]0;x\\a\\u202e"}\n'
        with pytest.raises(ConfigError) as caught:
            load(text)
        assert "\x1b" not in str(caught.value)
        assert "\u202e" not in str(caught.value)

    def test_long_values_are_cut(self, load):
        with pytest.raises(ConfigError) as caught:
            load(changed("My atlas", f"[{'x' * 5000}]") + f"{'k' * 5000}: 1")
        assert len(str(caught.value)) < 1500


class TestSources:
    @pytest.mark.parametrize(
        ("sae", "what"),
        [
            ("{slug: a}", "has no source"),
            ("{folder: a, repo: b}", "2 sources: folder, repo"),
            ("{folder: a, release: b, repo: c}", "3 sources"),
            ("{release: gpt2-small-res-jb}", "a release needs a `sae_id`"),
            ("{folder: a, sae_id: b}", "`sae_id` has no meaning beside `folder`"),
            ("{folder: ' '}", "`folder` is empty"),
            ("{folder: a, title: ' '}", "' ' is blank"),
            ("{folder: a, revision: v1}", "`revision` has no meaning beside `folder`"),
            ("{release: r, sae_id: i, revision: v1}", "`revision` has no meaning beside `release`"),
            ("{folder: a, format: saelense}", "'saelense' is not an installed SAE format"),
        ],
    )
    def test_refused(self, problems, sae: str, what: str):
        found = problems(changed("- folder: sae", f"- {sae}"))
        assert len(found) == 1
        assert what in found[0][2]
        assert found[0][0] == 5

    @pytest.mark.parametrize(
        "sae",
        ["{release: r, sae_id: i}", "{repo: a/b}", "{repo: a/b, sae_id: p, revision: v1}", "{folder: a}"],
    )
    def test_taken(self, load, sae: str):
        assert load(changed("- folder: sae", f"- {sae}"))

    def test_two_saes_of_one_slug(self, problems):
        text = changed(
            "  - folder: sae", "  - {folder: a, slug: s}\n  - {folder: b, slug: t}\n  - {folder: c, slug: s}"
        )
        ((line, key, what, _),) = problems(text)
        assert (line, key) == (7, "saes.2.slug")
        assert "'s' is used twice (first in line 5)" in what

    @pytest.mark.parametrize(
        ("corpus", "what"),
        [
            ("{kind: text}", "needs `paths`"),
            ("{kind: jsonl, paths: []}", "needs `paths`"),
            ("{kind: huggingface}", "needs a `name`"),
            ("{kind: text, paths: [a], name: b}", "`name` has no meaning"),
            ("{kind: python_stdlib, paths: [a]}", "`paths` has no meaning"),
            ("{kind: python-stdlib}", "'python-stdlib' is not an installed kind of corpus"),
        ],
    )
    def test_corpora(self, problems, corpus: str, what: str):
        text = GOOD.partition("corpus:")[0] + f"corpus: {corpus}\n"
        ((_, _, found, fix),) = problems(text)
        assert what in found
        assert fix


class TestOutputs:
    @pytest.mark.parametrize(
        ("folder", "what"),
        [
            ("/", "root of the file system"),
            ("..", "holds the configuration file"),
            (".", "holds the configuration file"),
            ("''", "is empty"),
            ("~/atlas", "~, which is not expanded"),
            ("build/../..", "holds the configuration file"),
            ("repo", "is a git repository"),
            ("a_file", "is a file"),
            ('"a\\0b"', "is not a path"),
            ("LINK", "holds the configuration file"),
        ],
    )
    @pytest.mark.parametrize("key", ["data", "site"])
    def test_folders_that_would_harm_something(
        self, problems, tmp_path: Path, key: str, folder: str, what: str
    ):
        (tmp_path / "repo/.git").mkdir(parents=True)
        (tmp_path / "a_file").touch()
        (tmp_path / "LINK").symlink_to(tmp_path)
        ((_, found_key, found, fix),) = problems(f"{GOOD}output: {{{key}: {folder}}}")
        assert found_key == f"output.{key}"
        assert what in found
        assert f"'build/{key}'" in fix

    def test_the_home_folder(self, problems, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        home = tmp_path / "above/home"
        home.mkdir(parents=True)
        monkeypatch.setenv("HOME", str(home))
        for folder in (home, home.parent):
            ((_, _, what, _),) = problems(f"{GOOD}output: {{site: {folder}}}")
            assert "home folder" in what

    def test_inside_the_home_folder_is_fine(self, load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        assert load(GOOD)

    @pytest.mark.parametrize(
        ("data", "site"), [("out", "out"), ("out", "out/site"), ("out/data", "out"), ("out", "./x/../out")]
    )
    def test_one_inside_the_other(self, problems, data: str, site: str):
        ((line, key, what, _),) = problems(f"{GOOD}output:\n  data: {data}\n  site: {site}\n")
        assert (line, key) == (11, "output.site")
        assert "overlap" in what

    def test_one_inside_the_default_of_the_other(self, problems):
        ((_, key, _, _),) = problems(f"{GOOD}output: {{data: build/site/data}}")
        assert key == "output.data"

    @pytest.mark.parametrize(
        ("old", "new", "key"),
        [
            ("gpt2", "build/site/model", "model.name"),
            ("folder: sae", "folder: build/data", "saes.0.folder"),
            ("[texts]", "[ok, build/site/texts]", "corpus.paths.1"),
        ],
    )
    def test_inputs_in_an_output_folder(self, problems, tmp_path: Path, old: str, new: str, key: str):
        for name in ("build/site/model", "build/site/texts", "build/data"):
            (tmp_path / name).mkdir(parents=True)
        ((_, found, what, _),) = problems(changed(old, new))
        assert found == key
        assert "lies in the output folder" in what

    def test_a_corpus_folder_that_holds_the_output(self, problems, tmp_path: Path):
        found = problems(changed("[texts]", "[.]"))
        assert [key for _, key, _, _ in found] == ["corpus.paths.0"] * 2
        assert "holds the output folder" in found[0][2]

    def test_nothing_is_created(self, load, tmp_path: Path):
        load(GOOD)
        assert [path.name for path in tmp_path.iterdir()] == ["site_config.yaml"]


class TestSizes:
    @pytest.mark.parametrize(
        ("text", "size"),
        [
            ("1GB", 10**9), ("900MB", 900 * 10**6), ("1.5 GiB", 3 * 2**29), ("10kb", 10_000),
            ("5", 5), ("5 B", 5), ("2TB", 2 * 10**12), (" 1KiB ", 1024), ("0.5kB", 500),
        ],
    )  # fmt: skip
    def test_sizes(self, text: str, size: int):
        assert parse_size(text) == size

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "big",
            "-1GB",
            "1 GBs",
            "1e9",
            "0",
            "0.1B",
            "nan",
            "inf",
            "1..5GB",
            "9" * 400,
            "1G B",
            "\u0661GB",
            "1iB",
        ],
    )
    def test_not_sizes(self, text: str):
        with pytest.raises(InputError, match="is not a size") as caught:
            parse_size(text, where="here")
        assert caught.value.where == "here"

    def test_none_is_no_budget(self, load):
        assert load(GOOD + "render: {site_budget: null}").config.render.site_budget is None


class TestSchema:
    def test_it_describes_every_key(self):
        schema = json_schema()
        assert schema["$schema"].startswith("https://json-schema.org/")
        assert set(schema["properties"]) == {
            "title", "description", "author", "base_url", "model", "saes", "corpus", "pass", "enrich",
            "render", "output", "browser_model", "browser_precision",
        }  # fmt: skip
        sections = [schema, *schema["$defs"].values()]
        fields = [field for section in sections for field in section["properties"].values()]
        # A field that only repeats its section's own description refers to it.
        assert all(field.get("description") or set(field) == {"$ref"} for field in fields)
        assert all(section["additionalProperties"] is False for section in sections)

    def test_it_names_the_installed_extensions(self):
        engine = json_schema()["$defs"]["ModelConfig"]["properties"]["engine"]
        assert engine["examples"] == list(available("atlas.engines"))

    def test_it_has_the_required_keys_of_the_model(self):
        required = {name for name, field in SiteConfig.model_fields.items() if field.is_required()}
        assert set(json_schema()["required"]) == required

    def test_two_calls_are_equal_and_apart(self):
        first = json_schema()
        first["properties"].clear()
        assert json_schema()["properties"]
