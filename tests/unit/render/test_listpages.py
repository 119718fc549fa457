"""Pages of lists, their pictures and their links; and files of lists that nobody would write on purpose."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atlas.config import RenderConfig
from atlas.errors import ConfigError
from atlas.render.builder import Builder
from atlas.render.contexts import ListPage, StarredPage
from atlas.render.curated import CuratedList, read_lists
from atlas.render.listpages import preview_path
from atlas.render.overview import SaeSummary
from atlas.render.preview import HEIGHT, WIDTH, palette, preview_png
from atlas.store import AtlasStore
from tests.support.hostile import CORPUS
from tests.support.synthetic import make_atlas

SIZES = {"alpha": 16, "beta": 16}
LIST = """\
name: Of both
features:
  - {sae: beta, feature_idx: 3, note: "dead, and\\nof two lines"}
  - {sae: alpha, feature_idx: 5}
"""


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "both.yaml").write_text(LIST, "utf-8")
    store = make_atlas(tmp_path / "data", n_features=16)
    store.update(base_url="https://example.org/x")
    return Builder(store, RenderConfig(), tmp_path, scripts=False)


def attempt(base: Path) -> tuple[CuratedList, ...] | ConfigError:
    """The lists of a config folder, or the one error that they may come to."""
    try:
        return read_lists(base, SIZES)
    except ConfigError as error:
        return error


def summaries(builder: Builder) -> list[SaeSummary]:
    found: list[SaeSummary] = []
    for sae in builder.saes:
        for _ in sae.files():
            pass
        found.append(sae.summary())
    return found


def test_links_lead_from_the_root_and_every_listed_feature_has_one_picture(builder: Builder):
    assert [(link.href, str(link.label)) for link in builder.lists.links] == [("lists/both.html", "Of both")]
    assert builder.lists.n_previews == 2
    paths = [path for path, _ in builder.lists.previews([sae.data for sae in builder.saes])]
    assert paths == [preview_path("alpha", 5), preview_path("beta", 3)]
    assert paths[0] == "lists/preview/alpha-5.png"


def test_the_pages_say_what_is_known_of_each_feature(builder: Builder):
    starred, page = builder.lists.pages(summaries(builder))
    assert isinstance(starred, StarredPage)
    assert isinstance(page, ListPage)
    assert starred.curated == builder.lists.links
    assert (page.head.path, page.root, page.count) == ("lists/both.html", "../", "2 features")
    dead, alive = page.features
    assert (dead.sae, dead.feature_idx, dead.href) == ("beta", 3, "../beta/0/3.html")
    assert (dead.token, dead.density) == (None, "never fires")
    assert dead.note == "dead, and\nof two lines"
    assert [str(line) for line in dead.paragraphs] == ["dead, and", "of two lines"]
    assert alive.token is not None
    assert alive.density.startswith("density ")
    assert alive.preview == "../lists/preview/alpha-5.png"
    assert page.head.image == "https://example.org/x/lists/preview/beta-3.png"


def test_only_listed_features_name_a_picture(builder: Builder):
    frames = builder.frames
    listed = frames.head("feature", "alpha/0/5.html", "t", "d", sae_slug="alpha", feature_idx=5)
    other = frames.head("feature", "alpha/0/6.html", "t", "d", sae_slug="alpha", feature_idx=6)
    same_number = frames.head("feature", "beta/0/5.html", "t", "d", sae_slug="beta", feature_idx=5)
    assert listed.image == "https://example.org/x/lists/preview/alpha-5.png"
    assert other.image == same_number.image == ""


def test_the_menu_of_every_page_leads_to_the_lists(builder: Builder):
    for kind in ("home", "feature", "starred", "map"):
        menu = builder.frames.head(kind, "x.html", "t", "d").menu
        (entry,) = [link for link in menu if link.label == "Lists"]
        assert entry.href == "starred.html"
        assert entry.current == (kind == "starred")


def test_the_picture_of_a_dead_feature_is_an_empty_frame(builder: Builder):
    pictures = dict(builder.lists.previews([sae.data for sae in builder.saes]))
    assert len(pictures[preview_path("beta", 3)]) < len(pictures[preview_path("alpha", 5)])
    assert pictures[preview_path("beta", 3)] == preview_png([], [])


def test_equal_datasets_have_equal_pictures(builder: Builder, tmp_path: Path):
    again = Builder(AtlasStore.open(tmp_path / "data"), RenderConfig(), tmp_path, scripts=False)
    first, second = (dict(one.lists.previews([sae.data for sae in one.saes])) for one in (builder, again))
    assert first == second


def test_any_examples_and_any_histogram_make_a_picture():
    """Empty, single, huge and tiny values, windows shorter and longer than the picture shows."""
    dice = np.random.default_rng(7)
    for _ in range(60):
        examples: list[Any] = []
        for _ in range(int(dice.integers(0, 12))):
            count = int(dice.integers(1, 200))
            places = dice.integers(0, count, int(dice.integers(0, 30)))
            strengths = {int(place): float(dice.choice([0.0, 1e-9, 0.5, 1.0, 3.0])) for place in places}
            examples.append((strengths, int(dice.integers(0, count)), count))
        edges = np.sort(dice.random(int(dice.integers(0, 60)))) * float(dice.choice([1e-6, 1.0, 1e9]))
        bins = [
            (float(low), float(high), int(dice.integers(1, 10**9))) for low, high in itertools.pairwise(edges)
        ]
        png = preview_png(examples, bins)
        assert png[16:24] == WIDTH.to_bytes(4, "big") + HEIGHT.to_bytes(4, "big")
        assert len(png) < 60_000


def test_the_palette_is_paper_ink_hairline_and_nine_heats():
    colours = palette()
    assert len(colours) == 12
    assert colours[0] == (251, 250, 246)
    reds = [colour[2] for colour in colours[3:]]
    assert reds == sorted(reds, reverse=True)


def test_every_string_can_be_a_name_a_description_and_a_note(tmp_path: Path):
    (tmp_path / "lists").mkdir()
    for number, text in enumerate(CORPUS):
        feature = {"sae": "alpha", "feature_idx": 1, "note": text[:4000]}
        name = f"x {' '.join(text.split())}"[:120]
        value = {"name": name, "description": text[:4000], "features": [feature]}
        file = tmp_path / "lists" / "one.json"
        file.write_text(json.dumps(value, ensure_ascii=bool(number % 2)), "utf-8", errors="surrogatepass")
        found = attempt(tmp_path)
        if isinstance(found, ConfigError):
            # YAML knows no raw control characters and no raw halves of a character: told, with the file.
            assert "one.json" in str(found)
            assert number % 2 == 0
            continue
        whole = text[:4000].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        assert number % 2 == 0 or found[0].features[0].note.strip() == whole.strip()


def test_a_damaged_file_is_an_error_with_its_name_or_still_a_list(tmp_path: Path):
    (tmp_path / "lists").mkdir()
    dice = random.Random(5)  # noqa: S311 - the same damage every time
    pieces = [
        "{",
        "}",
        "[",
        "]",
        ":",
        "- ",
        "\t",
        "&a ",
        "*a",
        "!!python/object:os.system ",
        "<<: ",
        "'",
        '"',
        "\n",
        "# ",
    ]
    told = 0
    for _ in range(300):
        text = LIST
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(len(text))
            text = text[:at] + dice.choice([*pieces, ""]) + text[at + dice.randrange(3) :]
        (tmp_path / "lists" / "both.yaml").write_text(text, "utf-8")
        found = attempt(tmp_path)
        if isinstance(found, ConfigError):
            told += 1
            assert found.problems
            assert all("both.yaml" in str(problem) for problem in found.problems)
        else:
            assert all(each.features for each in found)
    assert told > 100


def test_a_folder_a_link_and_other_files_are_no_lists(tmp_path: Path):
    (tmp_path / "lists" / "folder.yaml").mkdir(parents=True)
    (tmp_path / "lists" / "README").write_text("x", "utf-8")
    assert read_lists(tmp_path, SIZES) == ()
    (tmp_path / "lists" / "latin.yaml").write_bytes(LIST.replace("both", "b\xf6th").encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_lists(tmp_path, SIZES)
