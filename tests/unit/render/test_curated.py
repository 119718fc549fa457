"""Curated lists: files beside the config, judged with file and line, and the pages they become."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from atlas.config import RenderConfig
from atlas.errors import ConfigError
from atlas.render.curated import FOLDER, list_files, read_lists
from atlas.render.output import Output
from atlas.render.preview import HEIGHT, WIDTH, histogram_bins, palette, preview_png
from atlas.render.site import plan_site, render_site
from tests.support.hostile import CORPUS
from tests.support.sites import PageReader
from tests.support.synthetic import make_atlas

CASES = json.loads((Path(__file__).parents[2] / "support" / "list_cases.json").read_text("utf-8"))
SIZES = {"alpha": 48, "beta": 48}
GOOD = """\
name: Brackets
description: |
  What closes.
  And what opens.
features:
  - {sae: alpha, feature_idx: 5, note: "<b>bold</b> & more"}
  - sae: beta
    feature_idx: 7
"""


def put(base: Path, **files: str) -> Path:
    """Files of lists in a config folder; `first_yaml` is written as first.yaml."""
    (base / FOLDER).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (base / FOLDER / name.replace("_", ".")).write_text(text, "utf-8")
    return base


def problems(base: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_lists(base, SIZES)
    return [str(problem) for problem in caught.value.problems]


def test_without_a_folder_there_are_no_lists(tmp_path: Path):
    assert list_files(tmp_path) == []
    assert read_lists(tmp_path, SIZES) == ()


def test_a_list_keeps_its_order_its_notes_and_its_address(tmp_path: Path):
    put(tmp_path, first_yaml=GOOD, readme_md="no list", other_txt="no list")
    (found,) = read_lists(tmp_path, SIZES)
    assert found.path == "lists/first.html"
    assert (found.name, found.description) == ("Brackets", "What closes.\nAnd what opens.")
    assert [(each.sae, each.feature_idx, each.note) for each in found.features] == [
        ("alpha", 5, "<b>bold</b> & more"),
        ("beta", 7, ""),
    ]


def test_an_exported_file_of_several_lists_becomes_several_pages(tmp_path: Path):
    feature = {"sae": "alpha", "feature_idx": 1, "note": ""}
    exported = {
        "format": "feature-atlas-lists",
        "version": 1,
        "build_id": "0123456789ab",
        "lists": [
            {"name": "Starred", "description": "", "features": [feature]},
            {"name": "Ünd more", "description": "", "features": [feature]},
        ],
    }
    put(tmp_path, mine_json=json.dumps(exported, indent=1))
    assert [each.path for each in read_lists(tmp_path, SIZES)] == [
        "lists/mine-starred.html",
        "lists/mine-und-more.html",
    ]


@pytest.mark.parametrize("case", CASES["files"], ids=lambda case: json.dumps(case["value"])[:60])
def test_both_sides_of_the_project_judge_the_same_files_alike(tmp_path: Path, case: dict[str, Any]):
    put(tmp_path, case_json=json.dumps(case["value"]))
    if case["good"]:
        assert read_lists(tmp_path, SIZES)
    else:
        assert problems(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("feature_idx: 7", "feature_idx: 48", 8, "beta has 48 features"),
        ("sae: beta", "sae: betta", 7, "no SAE 'betta'"),
        ("sae: beta", "sea: beta", 7, "unknown key 'sea'"),
        ("feature_idx: 7", "feature_idx: seven", 8, "must be a whole number"),
        ("name: Brackets", "nam: Brackets", 1, "unknown key 'nam'"),
        ("  - sae: beta\n    feature_idx: 7", "  - sae: alpha\n    feature_idx: 5", 7, "stands twice"),
        ("name: Brackets", "name: ''", 1, "at least 1 character"),
        ("name: Brackets", "name: [a", 2, "not YAML"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, line: int, words: str):
    assert old in GOOD
    put(tmp_path, first_yaml=GOOD.replace(old, new))
    found = problems(tmp_path)
    assert any(words in problem and f"first.yaml:{line}" in problem for problem in found), found


def test_the_mistakes_of_all_files_are_told_at_once(tmp_path: Path):
    put(tmp_path, a_yaml=GOOD.replace("alpha", "gamma"), b_yaml=GOOD.replace("7", "99"), c_yaml="- 1")
    found = "\n".join(problems(tmp_path))
    assert all(name in found for name in ("a.yaml:6", "b.yaml:8", "c.yaml"))


def test_two_lists_cannot_have_one_address(tmp_path: Path):
    put(tmp_path, first_yaml=GOOD, first_json=json.dumps(CASES["files"][0]["value"]))
    assert "lists/first.html, as one in first.json" in problems(tmp_path)[0]


def images(site: Path, path: str) -> list[str]:
    """The preview pictures that a page names."""
    metas = PageReader((site / path).read_text("utf-8")).all("meta")
    return [meta.attributes["content"] for meta in metas if meta.attributes.get("property") == "og:image"]


def rendered(tmp_path: Path, **facts: str) -> Path:
    store = make_atlas(tmp_path / "data")
    store.update(**facts)
    config = RenderConfig(static_examples=3)
    plan = plan_site(store, config, base=tmp_path, scripts=False)
    with Output(tmp_path / "site") as out:
        report = render_site(store, config, out, base=tmp_path, scripts=False)
    assert (plan.pages, plan.files) == (report.pages, report.files)
    return tmp_path / "site"


def test_a_list_is_a_page_linked_from_the_front_with_a_picture_of_every_feature(tmp_path: Path):
    site = rendered(put(tmp_path, first_yaml=GOOD), base_url="https://example.org/x/")
    page = PageReader((site / "lists/first.html").read_text("utf-8"))
    assert page.one("h1").text == "Brackets"
    rows = page.all("li", "listed")
    assert [(row.attributes["data-sae"], row.attributes["data-feature"]) for row in rows] == [
        ("alpha", "5"),
        ("beta", "7"),
    ]
    assert rows[0].attributes["data-note"] == "<b>bold</b> & more"
    assert "<b>bold</b> & more" in rows[0].text
    assert 'href="lists/first.html"' in (site / "index.html").read_text("utf-8")
    assert 'href="lists/first.html"' in (site / "starred.html").read_text("utf-8")
    image = "https://example.org/x/lists/preview/alpha-5.png"
    assert images(site, "alpha/0/5.html") == images(site, "lists/first.html") == [image]
    assert images(site, "alpha/0/6.html") == images(site, "index.html") == []
    assert {path.name for path in (site / "lists/preview").iterdir()} == {"alpha-5.png", "beta-7.png"}


def test_without_a_base_url_no_page_names_a_picture_by_a_relative_address(tmp_path: Path):
    site = rendered(put(tmp_path, first_yaml=GOOD))
    assert images(site, "alpha/0/5.html") == []


def test_hostile_notes_and_names_are_text(tmp_path: Path):
    features = [
        {"sae": "alpha", "feature_idx": number % 48, "note": text[:4000]}
        for number, text in enumerate(CORPUS[:48])
    ]
    name = "</title><script>alert(1)</script>"
    put(tmp_path, first_json=json.dumps({"name": name, "description": name, "features": features}))
    site = rendered(tmp_path)
    page = PageReader((site / "lists/first.html").read_text("utf-8"))
    assert page.one("h1").text == name
    assert page.all("script") == []
    assert len(page.all("li", "listed")) == len(features)


def chunks(png: bytes) -> dict[bytes, bytes]:
    """Chunk name → content of a PNG, checksums verified."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    found: dict[bytes, bytes] = {}
    at = 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert int.from_bytes(png[at + 8 + size : at + 12 + size]) == zlib.crc32(kind + data)
        found[kind] = data
        at += 12 + size
    return found


def pixels(png: bytes) -> list[bytes]:
    data = zlib.decompress(chunks(png)[b"IDAT"])
    lines = [data[row * (WIDTH + 1) : (row + 1) * (WIDTH + 1)] for row in range(HEIGHT)]
    assert all(line[0] == 0 for line in lines)
    return [line[1:] for line in lines]


def test_a_preview_is_a_small_png_of_the_size_that_link_previews_ask_for():
    examples = [({3: 0.4, 5: 1.0}, 5, 12)] * 9
    png = preview_png(examples, [(0.0, 1.0, 100), (1.0, 2.0, 10), (2.0, 8.0, 1)])
    header = chunks(png)[b"IHDR"]
    assert (int.from_bytes(header[:4]), int.from_bytes(header[4:8])) == (WIDTH, HEIGHT) == (1200, 630)
    assert len(chunks(png)[b"PLTE"]) == 3 * len(palette())
    assert len(png) < 10_000
    assert png == preview_png(examples, [(0.0, 1.0, 100), (1.0, 2.0, 10), (2.0, 8.0, 1)])


def test_the_colours_of_a_preview_are_the_heat_of_the_page():
    lines = pixels(preview_png([({4: 1.0, 6: 0.1}, 4, 10)], []))
    used = set(b"".join(lines))
    assert {0, 1, 2, 3 + 8, 3} <= used
    assert set(b"".join(pixels(preview_png([], [])))) == {0, 1}


def test_bars_of_a_preview_are_as_high_as_their_counts_and_fill_the_width():
    lines = pixels(preview_png([], [(0.0, 4.0, 1000), (4.0, 8.0, 0), (8.0, 16.0, 1000)]))
    columns = [sum(line[x] == 11 for line in lines) for x in range(WIDTH)]
    filled = [x for x, height in enumerate(columns) if height]
    assert filled[0] == 72
    assert filled[-1] > 1100
    assert columns[300] > columns[900] > columns[450] == 0 or columns[450] > 0
    assert histogram_bins(None) == []
    assert histogram_bins([(0, 1, 0), (1, 2, 5)]) == [(1.0, 2.0, 5)]
