"""`atlas.open`: tables, features as text, and cards that show hostile text without running it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import atlas
from atlas.errors import InputError
from atlas.reader import cards
from atlas.reader.cards import element
from atlas.store import AtlasStore
from atlas.text import inline_text
from tests.support.notebook import HOSTILE, Parsed, check_card
from tests.support.synthetic import BOS, SPECIAL, TEXTS, make_atlas


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> atlas.Atlas:
    return atlas.open(make_atlas(tmp_path_factory.mktemp("reader") / "data").path)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> atlas.Atlas:
    return atlas.open(make_atlas(tmp_path_factory.mktemp("reader") / "data", saes=("alpha",)).path)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> atlas.Atlas:
    path = tmp_path_factory.mktemp("hostile") / "data"
    return atlas.open(make_atlas(path, saes=("alpha",), hostile=HOSTILE, n_features=60).path)


class TestTables:
    def test_a_table_of_an_sae(self, data: atlas.Atlas):
        table = data.table("features", sae="alpha")
        assert table.num_rows == 48
        assert table.equals(AtlasStore.open(data.store.path).read("features", "alpha"))

    def test_a_shared_table(self, data: atlas.Atlas):
        assert data.table("documents")["name"].to_pylist()[0] == "texts/document_0.txt"

    def test_columns(self, data: atlas.Atlas):
        table = data.table("features", sae="beta", columns=["max_activation"])
        assert table.column_names == ["max_activation"]

    def test_pandas(self, data: atlas.Atlas):
        import pandas as pd

        frame = data.table("coords", sae="alpha").to_pandas()
        assert isinstance(frame, pd.DataFrame)
        assert list(frame.columns) == ["feature_idx", "x", "y", "cluster"]

    def test_the_only_sae_need_not_be_named(self, single: atlas.Atlas):
        assert single.table("features").num_rows == 48
        assert single.feature(5).sae.slug == "alpha"

    def test_names(self, data: atlas.Atlas):
        assert "documents" in data.tables
        assert "beta/logits" in data.tables
        assert [entry.slug for entry in data.saes] == ["alpha", "beta"]
        assert data.title == "Synthetic atlas"
        assert data.build_id == data.store.manifest.build_id

    @pytest.mark.parametrize(
        ("call", "what", "fix"),
        [
            (lambda d: d.table("features"), "once per SAE", "sae='alpha' or sae='beta'"),
            (lambda d: d.feature(1), "once per SAE", "sae='alpha'"),
            (lambda d: d.table("featurs"), "no table 'featurs'", "'features'"),
            (lambda d: d.table("features", sae="alhpa"), "no SAE 'alhpa'", "'alpha'"),
            (lambda d: d.table("featurs", sae="alpha"), "no table 'alpha/featurs'", "'alpha/features'"),
            (lambda d: d.table("features", sae="alpha", columns=["x"]), "no column 'x'", ""),
            (lambda d: d.table("../x", sae="alpha"), "cannot name a table", ""),
            (lambda d: d.feature(48, "alpha"), "no feature 48", "0 to 47"),
            (lambda d: d.feature(-1, "alpha"), "no feature -1", "0 to 47"),
        ],
    )
    def test_mistakes(self, data: atlas.Atlas, call, what: str, fix: str):
        with pytest.raises(InputError, match=what) as caught:
            call(data)
        assert fix in caught.value.fix

    def test_a_folder_that_is_no_dataset(self, tmp_path: Path):
        with pytest.raises(InputError, match="no atlas dataset") as caught:
            atlas.open(tmp_path)
        assert caught.value.where == str(tmp_path)


class TestFeature:
    def test_columns_of_all_tables(self, data: atlas.Atlas):
        feature = data.feature(7, "alpha")
        assert feature["max_activation"] == data.table("features", "alpha")["max_activation"][7].as_py()
        assert feature["x"] == data.table("coords", "alpha")["x"][7].as_py()
        assert feature["neighbours"] == data.table("neighbours", "alpha")["neighbours"][7].as_py()
        tables = {"features", "logits", "weights", "effects", "neighbours", "coords", "explanations"}
        assert set(feature.rows) == tables
        assert feature.columns["max_activation"].unit == "activation"

    def test_an_unknown_column(self, data: atlas.Atlas):
        with pytest.raises(KeyError, match="max_activation"):
            data.feature(7, "alpha")["max_activatoin"]

    def test_numbers_of_numpy(self, data: atlas.Atlas):
        assert data.feature(np.int64(7), "alpha").feature_idx == 7
        with pytest.raises(TypeError):
            data.feature(7.0, "alpha")  # type: ignore[arg-type]

    def test_its_page(self, data: atlas.Atlas):
        assert data.feature(7, "beta").page == "beta/0/7.html"

    def test_explanation(self, data: atlas.Atlas):
        rows = data.table("explanations", "alpha").to_pylist()
        assert data.feature(7, "alpha").explanation == next(r["text"] for r in rows if r["feature_idx"] == 7)

    def test_a_dead_feature(self, data: atlas.Atlas):
        feature = data.feature(3, "alpha")
        assert feature.examples == ()
        assert feature.explanation == ""
        assert feature["firing_tokens"] == 0
        assert "firing tokens: 0" in repr(feature)
        assert "Feature 3 of alpha" in feature._repr_html_()

    def test_tokens_as_text(self, data: atlas.Atlas):
        feature = data.feature(7, "alpha")
        vocabulary = data.table("vocabulary").to_pylist()
        for token in feature.tokens["top_tokens"]:
            assert token.text == vocabulary[token.token_id]["bytes"].decode("utf-8", "backslashreplace") or (
                token.text.startswith("<0x")
            )
        assert set(feature.tokens) == {"top_tokens", "positive_logits", "negative_logits"}
        assert feature.tokens["positive_logits"][0].value == feature["positive_logits"][0]["value"]

    def test_every_example_is_a_window_of_its_document(self, data: atlas.Atlas):
        texts = {f"texts/document_{number}.txt": text.encode() for number, text in enumerate(TEXTS)}
        seen = 0
        for feature in (data.feature(number, "alpha") for number in range(48)):
            rows = data.store.read_features("examples", "alpha", feature.feature_idx, feature.feature_idx + 1)
            for example, row in zip(feature.examples, rows.to_pylist(), strict=True):
                ids = [number for number in row["token_ids"] if number != BOS]
                exact = b"".join(data._spelling.tokens[number] for number in ids)
                assert exact in texts[example.document]
                if "<0x" not in example.text:
                    assert example.text.removeprefix(SPECIAL).encode() == exact
                seen += 1
        assert seen > 200

    def test_the_peak_is_the_examples_own_token(self, data: atlas.Atlas):
        for feature in (data.feature(number, "alpha") for number in range(48)):
            for example in feature.examples:
                assert example.pieces[example.peak][1] == pytest.approx(example.activation)

    def test_characters_are_whole(self, data: atlas.Atlas):
        shown = "".join(e.text for n in range(48) for e in data.feature(n, "alpha").examples)
        assert any(char in shown for char in "日本語文章絵")

    def test_text_of_tokens(self, data: atlas.Atlas):
        assert data.text([BOS, *"é".encode(), -1, 65]) == f"{SPECIAL}éA"


class TestTerminal:
    def test_an_atlas(self, data: atlas.Atlas):
        lines = repr(data).splitlines()
        assert lines[0] == f"Atlas 'Synthetic atlas', build {data.build_id}"
        assert any("SAE alpha: Synthetic alpha, 48 features" in line for line in lines)

    def test_a_feature(self, data: atlas.Atlas):
        feature = data.feature(7, "alpha")
        shown = repr(feature)
        assert shown.startswith("Feature 7 of alpha (Synthetic alpha, blocks.0.hook_resid_post)")
        assert inline_text(feature.explanation) in shown
        top = next(example for example in feature.examples if example.group == "top")
        assert f"[[{inline_text(top.pieces[top.peak][0])}]]" in shown

    def test_an_example(self, data: atlas.Atlas):
        example = data.feature(7, "alpha").examples[0]
        assert repr(example).count("\n") == 0
        assert f"{example.activation:.3f}" in repr(example)

    def test_long_windows_are_cut_around_the_peak(self):
        from atlas.reader import Example

        pieces = tuple((f"w{number} ", 0.0) for number in range(200))
        shown = repr(Example("top", -1, 0, 1.0, "doc", 0, 100, 1, pieces, 100))
        assert "[[w100 ]]" in shown
        assert "w75 " not in shown
        assert "w76 " in shown
        assert "w125 " not in shown

    def test_nothing_steers_the_terminal(self, hostile: atlas.Atlas):
        shown = [repr(hostile), *(repr(hostile.feature(number)) for number in range(60))]
        for text in shown:
            assert all(char == "\n" or char.isprintable() for char in text), ascii(text)
            assert "\u202e" not in text

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (None, "none"),
            (1234567, "1,234,567"),
            (0.000123456, "0.0001235"),
            (12.0, "12"),
            ("x", "x"),
            (0, "0"),
        ],
    )
    def test_numbers(self, value: object, shown: str):
        assert cards.number(value) == shown


class TestNotebook:
    def test_an_atlas(self, data: atlas.Atlas):
        parsed = check_card(data._repr_html_())
        assert "Synthetic atlas" in parsed.text
        assert data.build_id in parsed.text

    def test_a_feature(self, data: atlas.Atlas):
        feature = data.feature(7, "alpha")
        parsed = check_card(feature._repr_html_())
        for example in [example for example in feature.examples if example.group == "top"][:5]:
            assert "".join(inline_text(text) for text, _ in example.pieces) in parsed.text

    def test_stronger_is_darker_and_zero_is_bare(self, data: atlas.Atlas):
        html = data.feature(7, "alpha")._repr_html_()
        grounds = [value for _, value in Parsed(html).attributes if value and "rgba" in value]
        assert any("0.70" in value for value in grounds)
        assert all(float(value.split(",")[3].split(")")[0]) > 0 for value in grounds)

    def test_hostile_text_is_shown_and_never_markup(self, hostile: atlas.Atlas):
        parsed = [check_card(hostile._repr_html_())]
        parsed += [check_card(hostile.feature(number)._repr_html_()) for number in range(60)]
        everything = "".join(page.text for page in parsed)
        for text in HOSTILE:
            assert inline_text(text) in everything

    def test_the_hostile_strings_of_others(self, shared_dir: Path, tmp_path: Path):
        strings = json.loads((shared_dir / "data/nasty/blns_even.json").read_text(encoding="utf-8"))
        assert len(strings) > 100
        for start in range(0, len(strings), 60):
            part = strings[start : start + 60]
            store = make_atlas(
                tmp_path / str(start), saes=("alpha",), hostile=part, n_features=60, texts=["a b"]
            )
            opened = atlas.open(store.path)
            for piece in (opened._repr_html_(), *(opened.feature(i)._repr_html_() for i in range(0, 60, 4))):
                check_card(piece)

    def test_the_harness_sees_an_unescaped_string(self):
        with pytest.raises(AssertionError):
            check_card(f"<div>{HOSTILE[0]}</div>")
        with pytest.raises(AssertionError):
            check_card(f"<div>{HOSTILE[1]}</div>")

    def test_element_escapes_texts_and_keeps_elements(self):
        made = element("p", "<b>", element("em", "a & b"), style="color:red")
        assert made.markup == '<p style="color:red">&lt;b&gt;<em>a &amp; b</em></p>'


class TestPackage:
    def test_importing_it_is_cheap(self):
        script = "import sys, atlas; sys.stdout.write(' '.join(sys.modules))"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert not {"pyarrow", "numpy", "pydantic", "jinja2", "torch"} & set(done.stdout.split())

    @pytest.mark.parametrize("name", atlas.__all__)
    def test_every_exported_name_loads(self, name: str):
        assert getattr(atlas, name) is not None
        assert name in dir(atlas)

    def test_an_unknown_name(self):
        with pytest.raises(AttributeError, match="no attribute 'opne'"):
            _ = atlas.opne

    def test_version(self):
        from importlib.metadata import version

        assert atlas.__version__ == version("feature-atlas")

    def test_reading_needs_no_pandas_and_no_jinja(self, data: atlas.Atlas):
        script = (
            "import sys, atlas\n"
            "sys.modules['pandas'] = None; sys.modules['jinja2'] = None\n"
            f"d = atlas.open({str(data.store.path)!r})\n"
            "d.feature(1, 'alpha')._repr_html_(); repr(d)\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True)

    def test_a_table_is_arrow(self, data: atlas.Atlas):
        assert isinstance(data.table("documents"), pa.Table)
