"""Parts of a site that are kept: whatever changed, rendering again gives what a fresh rendering gives."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, SupportsIndex

import pyarrow as pa
import pytest

from atlas.config import RenderConfig
from atlas.render import builder as builder_module
from atlas.render import parts
from atlas.render.builder import Builder, SaeFiles
from atlas.render.choice import Choice
from atlas.render.output import MARKER, Output
from atlas.render.parts import WatchedSite, block_inputs, explanation_marks, ground, ground_digest
from atlas.render.site import render_site
from atlas.store import AtlasStore
from atlas.store.manifest import Manifest
from atlas.store.seal import read_seal
from tests.support.synthetic import make_atlas

COUNT, PER_SHARD = 30, 2
UNLIMITED = {"site_budget": None}
SLATE = Path(__file__).parents[3] / "themes" / "slate"
LIST = "name: Mine\nfeatures:\n  - {sae: alpha, feature_idx: 5}\n"


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def rewrite(store: AtlasStore, table: str, sae: str | None, change: Callable[[pa.Table], pa.Table]) -> None:
    rows = change(store.read(table, sae))
    with store.lock(), store.writer(table, sae=sae, schema=rows.schema) as writer:
        writer.write(rows)


def explain(store: AtlasStore, feature: int, column: str, value: object) -> None:
    def changed(rows: pa.Table) -> pa.Table:
        found = rows.to_pylist()
        for row in found:
            row[column] = value if row["feature_idx"] == feature else row[column]
        return pa.Table.from_pylist(found, schema=rows.schema)

    rewrite(store, "explanations", "alpha", changed)


def turned(column: str) -> Callable[[pa.Table], pa.Table]:
    """The values of `column` in the opposite order."""

    def changed(rows: pa.Table) -> pa.Table:
        at = rows.schema.get_field_index(column)
        return rows.set_column(at, rows.schema.field(at), rows[column].take(list(range(len(rows)))[::-1]))

    return changed


def without(column: str) -> Callable[[pa.Table], pa.Table]:
    """Every value of `column` taken away."""

    def changed(rows: pa.Table) -> pa.Table:
        at = rows.schema.get_field_index(column)
        return rows.set_column(at, rows.schema.field(at), pa.nulls(len(rows), rows.schema.field(at).type))

    return changed


@dataclass
class Project:
    """A dataset and its site, rendered again and again."""

    base: Path
    store: AtlasStore
    options: dict[str, Any] = field(default_factory=dict)
    made: list[int] = field(default_factory=list)
    """First features of the blocks that the last rendering made."""
    fresh: int = 0

    @property
    def site(self) -> Path:
        return self.base / "site"

    def render(self, folder: Path | None = None) -> Output:
        self.made.clear()
        config = RenderConfig.model_validate({"features_per_shard": PER_SHARD, **self.options})
        with Output(folder or self.site) as out:
            render_site(AtlasStore.open(self.store.path), config, out, base=self.base, scripts=False)
        return out

    def render_fresh(self) -> dict[str, bytes]:
        """The site as nothing before it could have changed it."""
        self.fresh += 1
        kept = list(self.made)
        self.render(self.base / f"fresh{self.fresh}")
        self.made[:] = kept
        return tree(self.base / f"fresh{self.fresh}")

    def again(self) -> list[int]:
        """Render again and compare with a fresh rendering; the blocks that were made."""
        self.render()
        assert tree(self.site) == self.render_fresh()
        return list(self.made)


ALL = list(range(0, COUNT, PER_SHARD))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset and its site."""
    folder = tmp_path_factory.mktemp("drawn")
    Project(folder, make_atlas(folder / "data", n_features=COUNT, saes=("alpha",)), UNLIMITED).render()
    return folder


@pytest.fixture
def project(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    found = Project(tmp_path, AtlasStore.open(tmp_path / "data"), dict(UNLIMITED))
    original = SaeFiles.block_files

    def watched(self: SaeFiles, block: Any) -> Iterator[tuple[str, bytes]]:
        found.made.append(block.start)
        return original(self, block)

    monkeypatch.setattr(SaeFiles, "block_files", watched)
    return found


def naming(store: AtlasStore, feature: int) -> set[int]:
    """First features of the blocks that show or name the explanation of `feature`."""
    named = {feature}
    for table in ("features", "neighbours"):
        for row in store.read(table, "alpha").to_pylist():
            for value in row.values():
                if isinstance(value, list) and any(
                    isinstance(entry, dict) and entry.get("feature_idx") == feature for entry in value
                ):
                    named.add(row["feature_idx"])
    return {found // PER_SHARD * PER_SHARD for found in named}


class TestKeeping:
    def test_nothing_is_made_where_nothing_changed(self, project: Project):
        before = tree(project.site)
        inodes = {path: (project.site / path).stat().st_ino for path in before}
        out = project.render()
        assert project.made == []
        assert out.written == 0
        assert tree(project.site) == before
        moved = {path for path in before if (project.site / path).stat().st_ino != inodes[path]}
        assert moved == {MARKER}

    def test_a_changed_explanation_makes_only_what_names_it(self, project: Project):
        for feature, text in ((7, "something else"), (7, ""), (0, "another")):
            explain(project.store, feature, "text", text)
            assert set(project.again()) == naming(project.store, feature) != set(ALL)

    def test_neither_search_nor_history_makes_a_feature(self, project: Project):
        build = project.store.manifest.build_id
        rewrite(project.store, "postings", None, lambda rows: rows.slice(1))
        project.store.update(
            stages={"index": "1"}, config={"a": 1}, versions={"torch": "0"}, enrichers={"a": "b"}
        )
        assert project.store.manifest.build_id != build
        assert project.again() == []

    def test_progress_counts_the_pages_that_are_kept(self, project: Project):
        seen: list[tuple[int, int]] = []
        config = RenderConfig(features_per_shard=PER_SHARD, site_budget=None)
        with Output(project.site) as out:
            report = render_site(
                project.store,
                config,
                out,
                lambda done, total: seen.append((done, total)),
                base=project.base,
                scripts=False,
            )
        assert project.made == []
        assert seen == [(done, report.pages) for done in range(1, report.pages + 1)]
        assert report.files == len(tree(project.site))
        assert report.bytes == sum(map(len, tree(project.site).values()))

    def test_without_a_key_everything_is_made(self, project: Project):
        (project.site / MARKER).write_text((project.site / MARKER).read_text().replace("part ", "p4rt ", 1))
        assert project.again() == ALL


class TestChangesOfTheGround:
    """Each makes everything anew, and rendering again gives what a fresh rendering gives."""

    @pytest.mark.parametrize(
        ("table", "column"), [("features", "max_activation"), ("examples", "copies"), ("coords", "x")]
    )
    def test_tables(self, project: Project, table: str, column: str):
        rewrite(project.store, table, "alpha", turned(column))
        assert project.again() == ALL

    def test_facts_of_the_dataset(self, project: Project):
        for change in ({"title": "Other"}, {"base_url": "https://example.org/"}, {"stream": {"n_tokens": 7}}):
            project.store.update(**change)
            project.render()
            assert project.made == ALL, change
        assert tree(project.site) == project.render_fresh()

    def test_every_setting(self, project: Project):
        changes = {
            "theme": str(SLATE),
            "examples_per_feature": 2,
            "static_examples": 1,
            "features_per_shard": 3,
            "site_budget": "1GB",
            "webgpu": True,
        }
        assert changes.keys() == RenderConfig.model_fields.keys()
        for name, value in changes.items():
            project.options[name] = value
            project.render()
            size = project.options.get("features_per_shard", PER_SHARD)
            # A budget draws some features to weigh them.
            assert set(project.made) >= set(range(0, COUNT, size)), name
        assert tree(project.site) == project.render_fresh()

    def test_every_kind_of_file_of_a_theme(self, project: Project):
        theme = project.base / "mine"
        files = {
            "theme.yaml": "extends: default\n",
            "templates/feature.html": '{% extends "default:feature.html" %}{# mine #}',
            "css/mine.css": "p{color:red}",
            "panels/scalar/panel.html": "<p>mine",
            "assets/logo.svg": "<svg/>",
        }
        project.options["theme"] = "mine"
        for name, text in files.items():
            (theme / name).parent.mkdir(parents=True, exist_ok=True)
            (theme / name).write_text(text)
            project.render()
            assert project.made == ALL, name
        assert tree(project.site) == project.render_fresh()
        (theme / "notes.txt").write_text("no part of the pages")
        project.render()
        assert project.made == []

    def test_curated_lists(self, project: Project):
        (project.base / "lists").mkdir()
        (project.base / "lists" / "mine.yaml").write_text(LIST)
        assert project.again() == ALL
        (project.base / "lists" / "mine.yaml").write_text(f"{LIST}  - {{sae: alpha, feature_idx: 6}}\n")
        assert project.again() == ALL

    def test_this_software(self, project: Project, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(parts, "software", lambda: "another")
        assert project.again() == ALL

    def test_the_choice_of_examples(self, store: AtlasStore):
        digests = {
            ground_digest(ground(store), RenderConfig(), choice, theme="", lists=[], scripts=True)
            for choice in (Choice(), Choice(top=3), Choice(others=3), Choice(before=3), Choice(after=3))
        }
        assert len(digests) == 5


def test_the_ground_holds_every_column_of_every_other_table(project: Project):
    store = project.store
    found = {digest_of(store)}
    columns = 0
    for key in sorted(store.manifest.tables):
        sae, _, table = key.rpartition("/")
        if table in {"explanations", "postings", "vectors"}:
            continue
        before = store.read(table, sae or None)
        for name in set(before.column_names) - {"feature_idx"}:
            if before[name].null_count == len(before):
                continue
            columns += 1
            rewrite(store, table, sae or None, without(name))
            found.add(digest_of(store))
        rewrite(store, table, sae or None, lambda _, kept=before: kept)
    assert columns > 50
    assert len(found) == 1 + columns


def digest_of(store: AtlasStore) -> str:
    return ground_digest(ground(store), RenderConfig(), Choice(), theme="", lists=[], scripts=True)


def test_what_the_ground_is_without_cannot_be_seen(store: AtlasStore):
    seen = ground(store)
    for table, sae in (("explanations", "alpha"), ("postings", None), ("vectors", None)):
        assert store.has(table, sae)
        assert not seen.has(table, sae)
    assert (seen.manifest.config, seen.manifest.stages, seen.manifest.versions) == ({}, {}, {})
    left_out = {"config", "enrichers", "stages", "versions", "tables"}
    assert seen.manifest.model_dump(exclude=left_out) == store.manifest.model_dump(exclude=left_out)


def test_the_builder_draws_parts_from_the_ground(store: AtlasStore):
    builder = Builder(store, RenderConfig(), Path(), scripts=False)
    with pytest.raises(AttributeError):
        builder.part_frames.manifest.nothing  # noqa: B018 - the manifest is a strict record
    assert builder.part_frames.manifest == builder.ground.manifest
    assert all(sae.data._store is builder.ground for sae in builder.saes)
    assert builder.model._store is builder.ground


class TestSoftware:
    @pytest.fixture(autouse=True)
    def forgotten(self) -> Iterator[None]:
        parts.software.cache_clear()
        yield
        parts.software.cache_clear()

    def test_every_source_counts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        for name in ("render/parts.py", "text.py"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("1")
        monkeypatch.setattr(parts, "__file__", str(tmp_path / "render/parts.py"))
        found = {parts.software()}
        for name in ("text.py", "render/more.py"):
            (tmp_path / name).write_text("2")
            parts.software.cache_clear()
            found.add(parts.software())
        assert len(found) == 3

    def test_every_library_counts(self, monkeypatch: pytest.MonkeyPatch):
        before = parts.software()
        monkeypatch.setattr(parts, "distributions", list)
        parts.software.cache_clear()
        assert parts.software() != before

    def test_it_stays_the_same(self):
        before = parts.software()
        parts.software.cache_clear()
        assert parts.software() == before


class TestExplanations:
    """A part that has the same inputs as before has the same bytes, whichever explanation changed."""

    @pytest.fixture
    def builder(self, project: Project) -> Builder:
        return Builder(project.store, RenderConfig(features_per_shard=PER_SHARD), Path(), scripts=False)

    def blocks(self, builder: Builder) -> list[tuple[bytes, list[tuple[str, bytes]]]]:
        """(inputs, files) of every block as the dataset is now."""
        sae = SaeFiles(builder, builder.store.manifest.saes[0])
        cuts = [(start, start + PER_SHARD) for start in ALL]
        inputs = block_inputs(sae.data, explanation_marks(sae.explanations), cuts)
        blocks = sae.data.blocks(PER_SHARD, 3)
        return [(given, list(sae.block_files(block))) for given, block in zip(inputs, blocks, strict=True)]

    @pytest.mark.parametrize(
        ("column", "value"), [("text", "new"), ("method", "by hand"), ("score", 0.125), ("score_name", "x")]
    )
    def test_same_inputs_same_bytes(self, builder: Builder, column: str, value: object):
        before = self.blocks(builder)
        for feature in (0, 7, COUNT - 1):
            explain(builder.store, feature, column, value)
            after = self.blocks(builder)
            same = [old[0] == new[0] for old, new in zip(before, after, strict=True)]
            assert [old[1] for old, ok in zip(before, same, strict=True) if ok] == [
                new[1] for new, ok in zip(after, same, strict=True) if ok
            ]
            stale = {start for start, ok in zip(ALL, same, strict=True) if not ok}
            assert stale == naming(builder.store, feature)
            changed = {s for s, o, n in zip(ALL, before, after, strict=True) if o[1] != n[1]}
            assert feature // PER_SHARD * PER_SHARD in changed <= stale
            before = after

    def test_a_block_reads_no_other_explanation(self, builder: Builder):
        for start in ALL:
            sae = SaeFiles(builder, builder.store.manifest.saes[0])
            marks = explanation_marks(sae.explanations)
            (inputs,) = block_inputs(sae.data, marks, [(start, start + PER_SHARD)])
            allowed = {feature for feature in range(COUNT) if marks[feature].tobytes() in inputs}
            seen: set[int] = set()
            for name in ("texts", "methods", "scores", "score_names"):
                object.__setattr__(sae.explanations, name, Spied(getattr(sae.explanations, name), seen))
            list(sae.block_files(sae.data.block(start, start + PER_SHARD)))
            assert {start, start + 1} <= seen <= allowed
            assert len(allowed) <= COUNT

    def test_nothing_of_an_explanation_is_left_out(self, builder: Builder):
        explanations = builder.saes[0].explanations
        before = explanation_marks(explanations)
        assert before.shape == (COUNT, 32)
        for name in (found.name for found in explanations.__dataclass_fields__.values()):
            changed = [*getattr(explanations, name)]
            changed[4] = 0.5 if name == "scores" else "else"
            after = explanation_marks(
                type(explanations)(**{**vars(explanations), name: changed})  # type: ignore[arg-type]
            )
            assert [n for n in range(COUNT) if bytes(before[n]) != bytes(after[n])] == [4], name

    def test_no_features_have_no_marks(self, builder: Builder):
        empty = type(builder.saes[0].explanations)([], [], [], [])
        assert explanation_marks(empty).shape == (0, 32)


class Spied(list[Any]):
    """A list that notes which of its entries are asked for."""

    def __init__(self, entries: list[Any], seen: set[int]) -> None:
        super().__init__(entries)
        self.seen = seen

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        self.seen.update(range(len(self))[key] if isinstance(key, slice) else [int(key)])
        return super().__getitem__(key)


def test_a_block_has_the_same_bytes_however_it_is_read(project: Project):
    """Also where the groups of examples come in another order, as they may in any feature."""
    swapped = {"same_token": "near_miss", "near_miss": "same_token"}

    def changed(rows: pa.Table) -> pa.Table:
        found = rows.to_pylist()
        for row in found:
            row["group"] = swapped.get(row["group"], row["group"]) if row["feature_idx"] % 2 else row["group"]
        return pa.Table.from_pylist(found, schema=rows.schema)

    rewrite(project.store, "examples", "alpha", changed)
    builder = Builder(project.store, RenderConfig(features_per_shard=7), Path(), scripts=False)
    (sae,) = builder.saes
    alone = [
        list(sae.block_files(sae.data.block(start, min(start + 7, COUNT)))) for start in range(0, COUNT, 7)
    ]
    for per_read in (1, 3, 6):
        assert [list(sae.block_files(block)) for block in sae.data.blocks(7, per_read)] == alone
    orders = {tuple(dict.fromkeys(rows)) for rows in groups_of(project.store)}
    assert len({tuple(name for name in order if name in swapped) for order in orders}) > 1


def groups_of(store: AtlasStore) -> list[list[str]]:
    """The groups of the examples of each feature, in order."""
    found: dict[int, list[str]] = {}
    for row in store.read("examples", "alpha").to_pylist():
        found.setdefault(row["feature_idx"], []).append(row["group"])
    return list(found.values())


class TestDamage:
    """What lies in the site is used only as it was written."""

    @pytest.mark.parametrize(
        ("path", "how"),
        [(path, "edited") for path in ("alpha/0/4.html", "data/alpha/features/2.js", "alpha/0/index.html")]
        + [("data/alpha/features/2.js", how) for how in ("cut", "gone", "folder", "link")],
    )
    def test_a_file_of_a_part_is_made_anew(self, project: Project, path: str, how: str):
        before = tree(project.site)
        file = project.site / path
        content = file.read_bytes()
        file.unlink()
        if how == "edited":
            file.write_bytes(content.replace(b"e", b"i", 1))
        elif how == "cut":
            file.write_bytes(content[:-1])
        elif how == "folder":
            file.mkdir()
        elif how == "link":
            (project.base / "elsewhere").write_bytes(content)
            file.symlink_to(project.base / "elsewhere")
        out = project.render()
        assert project.made == ([] if path.endswith("index.html") else [4])
        assert out.written == 1
        assert tree(project.site) == before
        assert not file.is_symlink()

    def test_a_forged_key_is_no_key(self, project: Project):
        """The seal covers its keys: who changes one has no seal any more."""
        before = tree(project.site)
        seal = project.site / MARKER
        lines = seal.read_text().splitlines(keepends=True)
        at = next(n for n, line in enumerate(lines) if line.endswith("  alpha/features/2\n"))
        lines[at] = f"part {'0' * 64}  alpha/features/2\n"
        seal.write_text("".join(lines))
        assert read_seal(project.site) is None
        project.render()
        assert project.made == ALL
        assert tree(project.site) == before

    def test_a_rendering_that_fails_half_way_changes_nothing(self, project: Project):
        before = tree(project.site)
        explain(project.store, 7, "text", "something else")

        def fail(done: int, _: int) -> None:
            if done == COUNT - 2:
                raise KeyboardInterrupt

        config = RenderConfig(features_per_shard=PER_SHARD, site_budget=None)
        with pytest.raises(KeyboardInterrupt), Output(project.site) as out:
            render_site(project.store, config, out, fail, base=project.base, scripts=False)
        assert tree(project.site) == before
        assert set(project.again()) == naming(project.store, 7)

    def test_a_killed_rendering_leaves_nothing_to_keep(self, project: Project):
        explain(project.store, 7, "text", "something else")
        out = Output(project.site)
        out.__enter__()
        builder = Builder(
            project.store,
            RenderConfig(features_per_shard=PER_SHARD, site_budget=None),
            project.base,
            scripts=False,
        )
        for number, (path, data) in enumerate(builder.files(out)):
            if data is not None:
                out.write(path, data)
            if number == 20:
                break
        assert out.staging.is_dir()
        assert set(project.again()) == naming(project.store, 7)
        assert not out.staging.exists()

    def test_without_hard_links_parts_are_copied(self, project: Project, monkeypatch: pytest.MonkeyPatch):
        def refuse(*_: object) -> None:
            raise OSError("no links here")

        before = tree(project.site)
        monkeypatch.setattr(os, "link", refuse)
        out = project.render()
        assert project.made == []
        assert out.written == len(before) - 1
        assert tree(project.site) == before


class TestTheBuild:
    """A theme may name the build on pages of features: then they change with it."""

    def test_pages_that_name_it_are_made_anew(self, project: Project):
        project.options["theme"] = str(SLATE)
        assert project.again() == ALL
        project.render()
        assert project.made == [], "the same build"
        project.store.update(versions={"torch": "0"})
        assert project.again() == ALL
        page = (project.site / "alpha/0/5.html").read_text()
        assert AtlasStore.open(project.store.path).manifest.build_id in page

    def test_what_pages_share_is_drawn_for_parts_alone(self, tmp_path: Path):
        """Else the build could come into a page from a piece that another page asked for."""
        theme = tmp_path / "mine"
        (theme / "templates").mkdir(parents=True)
        (theme / "theme.yaml").write_text("extends: default\n")
        (theme / "templates" / "feature.html").write_text(
            '{% call once("shared") %}{{ site.build_id }}{% endcall %}'
        )
        (theme / "templates" / "browse.html").write_text((theme / "templates/feature.html").read_text())
        store = make_atlas(tmp_path / "data", n_features=4, saes=("alpha",))
        builder = Builder(store, RenderConfig(theme="mine"), tmp_path, scripts=False)
        sae = builder.saes[0]
        builder.page(sae.lists.browse(()))
        assert not builder._part_site.asked
        block = sae.data.block(0, 4)
        _, content = builder.page(sae.pages.page(block, 0), of_part=True)
        assert content.decode() == store.manifest.build_id
        assert builder._part_site.asked

    def test_the_watched_site_is_the_site(self, builder: Builder):
        site = builder.frames.site
        watched = WatchedSite(site)
        for name in site.__dataclass_fields__:
            assert not watched.asked
            if name != "build_id":
                assert getattr(watched, name) is getattr(site, name)
        assert watched.build_id == site.build_id
        assert watched.asked


def test_the_model_is_kept_whole(project: Project, monkeypatch: pytest.MonkeyPatch):
    files = {"data/model/index.js": b"one", "data/model/files/0.js": b"two"}
    made: list[int] = []

    def model_files(_: object) -> Iterator[tuple[str, bytes]]:
        made.append(1)
        yield from files.items()

    monkeypatch.setattr(builder_module.ModelFiles, "paths", lambda _: list(files))
    monkeypatch.setattr(builder_module.ModelFiles, "files", model_files)
    project.render()
    project.render()
    assert len(made) == 1
    assert files.items() <= tree(project.site).items()
    (project.site / "data/model/index.js").unlink()
    project.render()
    assert len(made) == 2
    assert files.items() <= tree(project.site).items()


def test_runs_join_what_adjoins():
    assert list(builder_module._runs([], 4)) == []
    assert list(builder_module._runs([0, 4, 8], 4)) == [(0, 12)]
    assert list(builder_module._runs([4, 12, 16, 28], 4)) == [(4, 8), (12, 20), (28, 32)]


def test_a_manifest_seen_through_another_shares_what_was_verified(store: AtlasStore):
    fewer = Manifest.model_validate({**store.manifest.model_dump(), "tables": {}})
    seen = store.seen_as(fewer)
    assert (seen.path, seen.manifest) == (store.path, fewer)
    assert seen._reader is store._reader
    assert store.manifest.tables


def test_the_key_of_a_part_is_in_the_seal(project: Project):
    seal = read_seal(project.site)
    assert seal is not None
    names = {f"alpha/features/{number}" for number in range(COUNT // PER_SHARD)} | {"alpha/lists/0", "model"}
    assert seal.parts.keys() == names
    assert len(set(seal.parts.values())) == len(names)
    assert all(len(key) == len(hashlib.sha256().hexdigest()) for key in seal.parts.values())
