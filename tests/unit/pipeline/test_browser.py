"""The stage that exports the model: when it runs, what it keeps, and that it never keeps half of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from atlas.check import check_dataset, check_site
from atlas.configfile import load_config
from atlas.errors import InputError, InterruptedBuildError
from atlas.pipeline import Job, build, render_config
from atlas.pipeline.browser import export_folder
from atlas.store import AtlasStore
from tests.support import fake_bundle
from tests.support.fake_bundle import FakeExport
from tests.support.fake_stages import CONFIG, make_project

ON = "browser_model: true\n"
ALL = ("preflight", "stream", "enrich", "index", "browser_model", "render", "check")


@pytest.fixture
def export(monkeypatch: pytest.MonkeyPatch) -> FakeExport:
    return FakeExport(monkeypatch)


@pytest.fixture
def config(tmp_path, fakes, export):
    del fakes, export
    return make_project(tmp_path / "project", CONFIG + ON)


def run(path, **more):
    return build(load_config(path), **more)


def edit(path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def store_of(config) -> AtlasStore:
    return AtlasStore.open(config.parent / "out/data")


def files_of(store: AtlasStore) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for row in store.read("model_files").to_pylist():
        found[row["name"]] = found.get(row["name"], b"") + row["data"]
    return found


def test_a_first_build_exports_after_the_index(config, export):
    report = run(config)
    assert report.ran == ALL
    store = store_of(config)
    sizes = {entry.slug: entry.n_features for entry in store.manifest.saes}
    made = fake_bundle.make(sizes)
    assert store.manifest.browser_model == made.payload
    assert store.manifest.config["browser_model"] is True
    assert files_of(store) == made.contents
    for slug, count in sizes.items():
        table = store.read("directions", slug)
        assert table["feature_idx"].to_pylist() == list(range(count))
        rows = np.array(table["direction"].to_pylist(), np.float32)
        np.testing.assert_array_equal(rows, fake_bundle.Weights(count).numpy())
    assert check_dataset(report.data) == []
    assert check_site(report.site) == []


def test_parts_are_cut_and_counted_from_0(config):
    run(config)
    rows = store_of(config).read("model_files", columns=["name", "part"]).to_pylist()
    assert [row["part"] for row in rows if row["name"] == "weights-0.bin"] == [0, 1]


def test_nothing_changed_is_nothing_done(config, export):
    run(config)
    assert run(config).ran == ("check",)
    assert export.calls == 1


@pytest.mark.parametrize(
    ("old", "new", "stages"),
    [
        ("  neighbours: 10", "  neighbours: 11", {"enrich", "index", "render", "check"}),
        ("title: Test", "title: Other", {"render", "check"}),
        (ON, f"{ON}browser_precision: fp16\n", {"browser_model", "render", "check"}),
        ("tokens: 1000", "tokens: 2000", set(ALL)),
    ],
)
def test_it_depends_on_the_pass_and_the_precision_alone(config, old, new, stages):
    """Other explanations must not cost an export, nor another precision the enrichers."""
    run(config)
    edit(config, old, new)
    assert set(run(config).ran) == stages
    assert run(config).ran == ("check",)


def test_switching_it_on_later_keeps_the_pass(tmp_path, fakes, export):
    config = make_project(tmp_path / "project", CONFIG)
    assert "browser_model" not in run(config).ran
    assert "browser_model" not in store_of(config).manifest.stages
    config.write_text(CONFIG + ON)
    assert run(config).ran == ("browser_model", "render", "check")
    assert fakes.calls.count("stream") == 1
    assert export.calls == 1


def test_switching_it_off_takes_it_out(config):
    run(config)
    edit(config, ON, "")
    assert run(config).ran == ("browser_model", "render", "check")
    store = store_of(config)
    assert store.manifest.browser_model == {}
    assert "browser_model" not in store.manifest.stages
    assert store.manifest.config["browser_model"] is False
    assert not any(key.rpartition("/")[2] in {"model_files", "directions"} for key in store.manifest.tables)
    assert not list(store.path.glob("**/model_files/*"))
    assert check_dataset(store.path) == []
    report = run(config)
    assert report.ran == ("check",)
    assert "browser_model" not in report.skipped


def test_a_new_pass_drops_the_old_model_with_it(config, fakes):
    run(config)
    edit(config, "tokens: 1000", "tokens: 2000")
    fakes.failures["enrich"] = RuntimeError("stopped")
    with pytest.raises(RuntimeError):
        run(config)
    store = store_of(config)
    assert store.manifest.browser_model == {}
    assert not store.has("model_files")


def test_fresh_exports_again(config, export):
    run(config)
    assert run(config, force_fresh=True).ran == ALL
    assert export.calls == 2


class TestRefused:
    def test_missing_libraries_are_told_before_anything_is_opened(self, config, fakes, export):
        export.refusals.append("libraries")
        with pytest.raises(InputError, match="libraries"):
            run(config)
        assert fakes.calls == []
        assert not (config.parent / "out").exists()

    def test_what_has_no_graph_is_told_before_the_pass(self, config, fakes, export):
        export.refusals.append("unexportable")
        with pytest.raises(InputError, match="unexportable"):
            run(config)
        assert "preflight" in fakes.calls
        assert "stream" not in fakes.calls

    def test_nothing_is_asked_where_no_model_is_wanted(self, tmp_path, fakes, export):
        export.refusals += ["libraries", "unexportable"]
        run(make_project(tmp_path / "project", CONFIG))

    def test_a_model_below_the_gate_leaves_the_dataset_without_one(self, config, fakes, export):
        export.failure = InputError("the model in int8 is not the model any more")
        with pytest.raises(InputError, match="not the model"):
            run(config)
        store = store_of(config)
        assert not store.manifest.browser_model
        assert not store.has("model_files")
        with pytest.raises(InputError, match=r"not finished .*browser_model"):
            render_config(load_config(config), config.parent / "out/site")
        export.failure = None
        report = run(config)
        assert report.ran == ("browser_model", "render", "check")
        assert fakes.calls.count("stream") == 1

    def test_the_old_model_stays_while_the_new_one_is_refused(self, config, export):
        report = run(config)
        before = files_of(store_of(config))
        edit(config, ON, f"{ON}browser_precision: int8\n")
        export.failure = InputError("below the gate")
        with pytest.raises(InputError):
            run(config)
        assert files_of(store_of(config)) == before
        assert check_site(report.site) == []
        edit(config, "browser_precision: int8\n", "")
        assert run(config).ran == ("check",), "what was asked for is still there"


class TestCutShort:
    """Stopped between two tables, the dataset says that it is not whole; the next build makes it so."""

    @pytest.mark.parametrize("place", ["_write_files", "_write_directions"])
    @pytest.mark.parametrize("again", [False, True])
    def test_half_a_model_is_no_model(self, config, monkeypatch, place, again):
        from atlas.pipeline import browser

        if again:
            run(config)
            edit(config, ON, f"{ON}browser_precision: fp16\n")
        real = getattr(browser, place)

        def cut(*args: object) -> None:
            real(*args)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(browser, place, cut)
            with pytest.raises(InterruptedBuildError):
                run(config)
        assert store_of(config).manifest.stages["browser_model"] == ""
        with pytest.raises(InputError, match=r"not finished .*browser_model"):
            render_config(load_config(config), config.parent / "out/site")
        report = run(config)
        assert report.ran == ("browser_model", "render", "check")
        assert check_dataset(report.data) == []
        made = fake_bundle.make({"alpha": 8, "beta": 8}, precision="fp16" if again else "fp32")
        assert files_of(store_of(config)) == made.contents

    def test_half_a_model_can_be_given_up(self, config, monkeypatch):
        from atlas.pipeline import browser

        with monkeypatch.context() as patch:
            patch.setattr(browser, "_write_directions", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(InterruptedBuildError):
                run(config)
        edit(config, ON, "")
        report = run(config)
        assert report.ran == ("browser_model", "render", "check")
        assert check_dataset(report.data) == []
        assert run(config).ran == ("check",)


class TestFolder:
    """`atlas export onnx`: the same files in a folder."""

    def test_it_holds_the_files_and_what_they_are(self, config, tmp_path):
        made = export_folder(Job(load_config(config)), tmp_path / "out")
        names = {path.name for path in (tmp_path / "out").iterdir()}
        assert names == {*made.contents, "manifest.json"}
        for name, content in made.contents.items():
            assert (tmp_path / "out" / name).read_bytes() == content
        assert json.loads((tmp_path / "out/manifest.json").read_text()) == made.payload
        assert not (config.parent / "out").exists(), "the dataset is not touched"

    def test_an_earlier_export_is_replaced(self, config, tmp_path):
        for _ in range(2):
            export_folder(Job(load_config(config)), tmp_path / "out")

    def test_a_folder_with_other_things_is_refused_first(self, config, tmp_path, export):
        (tmp_path / "out").mkdir()
        (tmp_path / "out/thesis.txt").write_text("mine")
        with pytest.raises(InputError, match=r"thesis\.txt"):
            export_folder(Job(load_config(config)), tmp_path / "out")
        file = tmp_path / "file"
        file.write_text("mine")
        with pytest.raises(InputError):
            export_folder(Job(load_config(config)), file)
        assert export.calls == 0
        assert file.read_text() == "mine"

    def test_nothing_is_written_of_a_refused_model(self, config, tmp_path, export):
        export.failure = InputError("below the gate")
        with pytest.raises(InputError):
            export_folder(Job(load_config(config)), tmp_path / "out")
        assert not (tmp_path / "out").exists()
