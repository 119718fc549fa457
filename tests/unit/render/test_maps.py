"""The map's data files and the drawing of it that needs no script."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.render import maps, payloads
from atlas.render.features import Explanations
from atlas.render.maps import GRID, POINTS_PER_PART, Places, map_files, map_section, map_shards, minimap_shard
from atlas.render.shards import encode_shard
from atlas.render.strips import shown
from atlas.render.views import SaeLink
from atlas.store import AtlasStore

SAE = SaeLink("alpha", shown("Alpha"), "alpha/index.html", "4 features", "blocks.0")
POINT = st.floats(-1e6, 1e6, width=32)


def places(
    points: list[tuple[float, float]], clusters: list[int] | None = None, features: list[int] | None = None
) -> Places:
    found = Places.of(
        np.array(features if features is not None else range(len(points)), np.float64),
        np.array([x for x, _ in points], np.float64),
        np.array([y for _, y in points], np.float64),
        np.array(clusters if clusters is not None else [-1] * len(points), np.float64),
    )
    assert found is not None
    return found


def scattered(count: int, seed: int = 0) -> Places:
    """Points in forty clumps, one in ten without a cluster."""
    rng = np.random.default_rng(seed)
    cluster = rng.integers(0, 40, count)
    points = rng.normal(size=(40, 2))[cluster] * 4 + rng.normal(size=(count, 2)) * 0.6
    lonely = rng.random(count) < 0.1
    found = Places.of(
        np.arange(count, dtype=np.float64), points[:, 0], points[:, 1], np.where(lonely, -1.0, cluster)
    )
    assert found is not None
    return found


def explained(count: int, scores: list[float | None] | None = None) -> Explanations:
    texts = [f"text {number}" for number in range(count)]
    return Explanations(texts, [""] * count, scores or [None] * count, [""] * count)


class TestPlaces:
    def test_they_are_scaled_on_the_longer_axis(self):
        found = places([(0, 1), (4, 1), (2, 3)], [0, -1, 2], [0, 1, 3])
        assert found.feature_idx.tolist() == [0, 1, 3]
        assert found.x.tolist() == [0, GRID, 32768]
        assert found.y.tolist() == [0, 0, 32768]
        assert found.cluster.tolist() == [0, -1, 2]
        assert (found.left, found.bottom, found.unit) == (0, 1, 4 / GRID)

    @given(st.lists(st.tuples(POINT, POINT), min_size=1, max_size=30))
    def test_they_keep_their_proportions(self, points: list[tuple[float, float]]):
        found = places(points)
        spans = [max(axis) - min(axis) for axis in zip(*points, strict=True)]
        for values, axis, low in ((found.x, 0, found.left), (found.y, 1, found.bottom)):
            assert low == min(point[axis] for point in points)
            for value, point in zip(values.tolist(), points, strict=True):
                assert 0 <= value <= GRID
                share = (point[axis] - low) / max(spans) if max(spans) else 0
                assert value == pytest.approx(share * GRID, abs=0.51)

    def test_a_feature_without_finite_coordinates_has_none(self):
        axis = np.array([1.0, np.nan, np.inf, 2.0])
        found = Places.of(np.arange(4.0), axis, np.ones(4), np.array([np.nan, 1, 1, 1]))
        assert found is not None
        assert found.feature_idx.tolist() == [0, 3]
        assert found.cluster.tolist() == [-1, 1]
        assert Places.of(np.arange(2.0), np.full(2, np.nan), np.zeros(2), np.zeros(2)) is None
        assert Places.of(*(np.zeros(0) for _ in range(4))) is None

    @pytest.mark.parametrize("points", [[(2.0, 3.0)], [(1.0, 5.0), (1.0, 5.0)]])
    def test_one_place_is_no_division_by_zero(self, points: list[tuple[float, float]]):
        found = places(points)
        assert found.x.tolist() == found.y.tolist() == [0] * len(points)
        assert found.unit == 1

    def test_they_are_those_of_the_table(self, store: AtlasStore):
        found = Places.read(store, "alpha")
        assert found is not None
        rows = store.read("coords", "alpha").to_pylist()
        assert found.feature_idx.tolist() == [row["feature_idx"] for row in rows]
        assert found.cluster.tolist() == [row["cluster"] for row in rows]
        for axis, values, low in (("x", found.x, found.left), ("y", found.y, found.bottom)):
            wanted = [row[axis] for row in rows]
            assert (low + values * found.unit).tolist() == pytest.approx(wanted, abs=found.unit)


def decoded(shard: payloads.MapShard, parts: list[bytes]) -> list[tuple[int, int, int, int]]:
    """(feature, x, y, cluster) of every point, from the description of `MapShard`."""
    features = [
        first + step
        for first, length in zip(shard["runs"][::2], shard["runs"][1::2], strict=True)
        for step in range(length)
    ]
    columns: list[list[int]] = [[], [], []]
    for part in parts:
        count = len(part) // 6
        for at, dtype in enumerate(("<u2", "<u2", "<i2")):
            columns[at] += np.frombuffer(part, dtype, count, 2 * at * count).tolist()
    return list(zip(features, *columns, strict=True))


class TestDataFiles:
    @given(
        st.lists(st.tuples(st.integers(0, 300), POINT, POINT, st.integers(-1, 400)), min_size=1, max_size=60),
        st.sampled_from([1, 3, 1000]),
    )
    def test_they_hold_every_place_in_whatever_parts(self, rows: list[tuple], per_part: int):
        rows = sorted({row[0]: row for row in rows}.values())
        found = places([(x, y) for _, x, y, _ in rows], [row[3] for row in rows], [row[0] for row in rows])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(maps, "POINTS_PER_PART", per_part)
            files = dict(map_shards("alpha", found, ["first"]))
            assert len(files) == map_files(found)
        shard = files.pop("alpha/map")
        files.pop("alpha/minimap")
        parts = [files[f"alpha/map/{number}"] for number in range(len(files))]
        assert shard["n_points"] == len(rows)
        assert shard["points_per_part"] == per_part
        assert (shard["width"], shard["height"]) == (found.x.max(), found.y.max())
        columns = (found.feature_idx, found.x, found.y, found.cluster)
        assert decoded(shard, parts) == list(zip(*(axis.tolist() for axis in columns), strict=True))

    def test_features_in_a_row_are_one_run(self):
        shard = dict(map_shards("a", places([(0, 0)] * 5, features=[0, 1, 2, 7, 9]), []))["a/map"]
        assert shard["runs"] == [0, 3, 7, 1, 9, 1]

    def test_clusters_have_their_label_their_size_and_their_middle(self):
        found = places([(0, 0), (10, 0), (20, 40), (1, 1)], [0, 0, 2, -1])
        shard = dict(map_shards("a", found, ["one", "", "three", "nobody"]))["a/map"]
        assert [(each["label"], each["size"]) for each in shard["clusters"]] == [
            ("one", 2),
            ("", 0),
            ("three", 1),
            ("nobody", 0),
        ]
        assert shard["clusters"][2]["x"] == found.x[2]
        assert shard["clusters"][0]["x"] == pytest.approx(found.x[:2].mean(), abs=1)
        assert map_files(None) == 0

    @pytest.mark.parametrize(("count", "most"), [(2048, 24_000), (131_072, 900_000)])
    def test_they_are_small(self, count: int, most: int):
        sizes = {
            key: len(encode_shard(key, content)) for key, content in map_shards("a", scattered(count), [])
        }
        assert sum(sizes.values()) < most
        assert sizes["a/minimap"] < 12_000, "every feature page may load it"
        assert sizes["a/map"] < 4000

    def test_the_first_part_of_a_large_map_is_small_and_spread_over_all_of_it(self):
        found = scattered(131_072)
        files = dict(map_shards("a", found, []))
        parts = [content for key, content in files.items() if key.startswith("a/map/")]
        assert [len(part) for part in parts] == [6 * POINTS_PER_PART] * 4
        assert max(len(encode_shard("a/map/0", part)) for part in parts) < 250_000
        x, y = np.frombuffer(parts[0], "<u2", 2 * POINTS_PER_PART).reshape(2, -1)
        quarters = np.histogram2d(x, y, bins=2, range=[[0, GRID + 1], [0, GRID + 1]])[0]
        whole = np.histogram2d(found.x, found.y, bins=2, range=[[0, GRID + 1], [0, GRID + 1]])[0]
        assert quarters / quarters.sum() == pytest.approx(whole / whole.sum(), abs=0.02)


class TestMinimap:
    def test_every_point_is_counted_in_the_cell_that_its_coordinates_say(self):
        points = [(0.0, 0.0), (128.0, 0.0), (128.0, 64.4), (0.1, 0.1), (64.4, 32.4)]
        shard = minimap_shard(places(points, [-1, 0, 11, -1, 9]))
        assert shard["columns"] == 128
        filled: dict[tuple[int, int], int] = {}
        for x, y in points:
            column = min(int((x - shard["left"]) / shard["cell"]), shard["columns"] - 1)
            row = shard["rows"] - 1 - int((y - shard["bottom"]) / shard["cell"])
            filled[row, column] = shard["cells"][row * shard["columns"] + column]
        assert {cell % 16 for cell in filled.values()} == {0, 1, 2, 10}
        assert sum(1 for cell in shard["cells"] if cell) == len(filled)
        assert max(filled.values(), key=lambda cell: cell // 16) // 16 == 15
        assert len(shard["cells"]) == shard["rows"] * shard["columns"]

    @given(st.lists(st.tuples(st.integers(0, 127), st.integers(1, 60)), min_size=1, max_size=12))
    def test_every_cell_with_points_is_seen_and_fits_a_byte(self, clumps: list[tuple[int, int]]):
        found = places([(float(x), 0.0) for x, count in clumps for _ in range(count)] + [(127.5, 0.0)])
        shard = minimap_shard(found)
        filled = np.unique(found.x.astype(int) * shard["columns"] // (GRID + 1))
        levels = np.array(shard["cells"]) // 16
        assert np.flatnonzero(levels).tolist() == filled.tolist()
        assert levels.max() == 15

    def test_denser_cells_have_higher_levels(self):
        shard = minimap_shard(places([(0, 0)] * 100 + [(50, 0)] * 10 + [(100, 0)]))
        levels = [cell // 16 for cell in shard["cells"] if cell]
        assert levels == sorted(levels, reverse=True)
        assert levels[0] == 15
        assert levels[-1] >= 1


def dots(section: object) -> dict[str, list[tuple[int, int]]]:
    """Class of each path → the places of its dots."""
    found: dict[str, list[tuple[int, int]]] = {}
    for path in section.paths:  # type: ignore[attr-defined]
        x = y = 0
        for dx, dy in re.findall(r"m(-?\d+) (-?\d+)h0", path.d):
            x, y = x + int(dx), y + int(dy)
            found.setdefault(path.css, []).append((x, y))
    return found


class TestDrawing:
    def test_few_features_are_a_dot_each_in_the_colour_of_their_group(self):
        found = places([(0, 0), (1, 0), (2, 0), (3, 1)], [0, 1, -1, 11])
        section = map_section(SAE, found, explained(4), [], 1)
        assert {css: len(at) for css, at in dots(section).items()} == {"knone s3": 1, "k0 s3": 1, "k1 s3": 2}
        assert section.note == "4 features; the colour is the group of most."
        assert section.paths[0].css.startswith("knone"), "those without a group lie below"

    def test_the_drawing_stands_upright_and_inside_its_box(self):
        found = places([(0, 0), (100, 100), (0, 50)], [0, 1, 2])
        section = map_section(SAE, found, explained(3), [], 1)
        at = {css.split()[0]: where[0] for css, where in dots(section).items()}
        assert at["k0"][1] > at["k2"][1] > at["k1"][1]
        for x, y in at.values():
            assert 1 <= x < section.width
            assert 1 <= y < section.height

    @pytest.mark.parametrize("n_maps", [1, 2, 12])
    def test_a_large_map_is_merged_into_few_dots_and_says_so(self, n_maps: int):
        section = map_section(SAE, scattered(131_072), explained(131_072), [], n_maps)
        drawn = sum(len(at) for at in dots(section).values())
        assert drawn <= max(800, 3000 // n_maps)
        assert sum(len(path.d) for path in section.paths) < 24_000 / min(n_maps, 4)
        assert section.note.startswith(
            "131,072 features; where several lie together, one dot stands for them;"
        )
        assert {css.split()[1] for css in dots(section)} == {"s1", "s2", "s3"}

    def test_groups_are_listed_largest_first_with_their_best_features(self):
        found = places([(0, number) for number in range(8)], [1, 1, 1, 1, 1, 1, 0, 5])
        texts = explained(8, [0.1, 0.9] * 4)
        texts.texts[1] = ""
        first, second, third = map_section(SAE, found, texts, ["first", "<b>"], 1).clusters
        assert (str(first.label), first.count, first.css) == ("&lt;b&gt;", "6", "k1")
        hrefs = [f"alpha/0/{number}.html" for number in (3, 5, 0, 2, 4)]
        assert [link.href for link in first.features] == hrefs, "unexplained features come last"
        assert (str(second.label), str(third.label)) == ("first", "group 5")
