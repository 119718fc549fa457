"""The whole way on a real model nobody here made: build, compare with dense sums, read in a real browser."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from atlas.check import check_dataset, check_site
from atlas.store import AtlasStore
from tests.support import stories

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visit, Visitor
    from tests.support.web import StaticHost

SLUG = "stories-res-3"
BOS = 1
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Built:
    """One finished build."""

    store: AtlasStore
    site: Path
    sae: Path


def atlas_build(config: Path) -> None:
    """Run `atlas build` as a user does."""
    done = subprocess.run(
        [sys.executable, "-m", "atlas", "build", str(config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def built(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("stories")
    sae = stories.train_sae(shared_dir, folder / "sae")
    atlas_build(stories.write_config(shared_dir, sae, folder))
    return Built(AtlasStore.open(folder / "build/data"), folder / "build/site", sae)


@pytest.fixture(scope="module")
def dense(shared_dir: Path, built: Built) -> np.ndarray:
    """[contexts, positions, features] activations, straight from the definition; BOS left out as 0."""
    import torch
    from safetensors.torch import load_file

    tokens = stories.packed(shared_dir)
    weights = load_file(built.sae / "sae_weights.safetensors")
    x = stories.residual(shared_dir, tokens)
    before = (x - weights["b_dec"]) @ weights["W_enc"] + weights["b_enc"]
    after = torch.relu(before) * (before > weights["threshold"])
    after[tokens <= 2] = 0  # <unk>, <s> and </s> are special: the mask leaves them out
    return after.numpy()


def drawn_scalars(page: Page) -> dict[str, float]:
    """Column name → exact value, as the script draws them on a feature page."""
    cells = page.locator("#numbers dl.scalars > div").evaluate_all(
        """(all) => all.map((one) => [
          one.querySelector("dt a").getAttribute("href").split("#c-")[1],
          one.querySelector("dd span").title,
        ])"""
    )
    return {name: float(exact) for name, exact in cells if exact}


def rounded(value: float) -> Any:
    """What a number of four digits that stands for `value` equals."""
    return pytest.approx(value, rel=5.1e-4)


def test_numbers_of_a_page_equal_dense_ones(
    visit: Visitor, built: Built, dense: np.ndarray, shared_dir: Path
) -> None:
    tokens = stories.packed(shared_dir).numpy()
    counted = int((tokens > 2).sum())
    assert built.store.manifest.stream["n_tokens"] == counted
    firing = (dense > 0).sum((0, 1))
    feature = int(np.argsort(-firing)[len(firing) // 3])
    values = dense[..., feature]
    positive = values[values > 0].astype(np.float64)
    peaks = strongest_texts(values, tokens)[:20]
    assert len(peaks) == 20
    assert min(peaks) > 0

    visited = visit()
    page = visited.open((built.site / SLUG / "0" / f"{feature}.html").as_uri())
    page.wait_for_selector("atlas-feature[data-ready]", state="attached")
    shown = drawn_scalars(page)
    assert shown["firing_tokens"] == positive.size
    assert shown["firing_contexts"] == (values > 0).any(1).sum()
    assert shown["activation_density"] == pytest.approx(positive.size / counted, rel=1e-6)
    assert shown["max_activation"] == pytest.approx(positive.max(), rel=1e-5)
    assert shown["mean_activation"] == pytest.approx(positive.mean(), rel=1e-5)
    assert shown["std_activation"] == pytest.approx(positive.std(), rel=1e-4)
    titles = page.locator("li.example .activation").evaluate_all("(all) => all.map(({ title }) => title)")
    assert [float(title) for title in titles] == pytest.approx(peaks, rel=1e-5)
    assert visited.record.problems(built.site.as_uri()) == []

    copy = (built.site / SLUG / "0" / f"{feature}.html").read_text(encoding="utf-8")
    brief = dict(re.findall(r"<dt>([^<]+)<dd>([^<]+)", copy))
    assert float(brief["max activation"]) == rounded(positive.max())
    assert float(brief["mean activation"]) == rounded(positive.mean())
    assert f"{positive.size:,} of {counted:,} tokens" in copy
    strongest = [float(value) for value in re.findall(r"<li><b>([^<]+)</b>", copy)]
    assert strongest == [rounded(peak) for peak in peaks[:4]]


def test_every_count_equals_the_dense_one(built: Built, dense: np.ndarray) -> None:
    table = built.store.read("features", SLUG)
    assert table["firing_tokens"].to_pylist() == (dense > 0).sum((0, 1)).tolist()
    assert table["firing_contexts"].to_pylist() == (dense > 0).any(1).sum(0).tolist()
    np.testing.assert_allclose(table["max_activation"].to_numpy(), dense.max((0, 1)), rtol=1e-5, atol=1e-6)


def strongest_texts(activations: np.ndarray, tokens: np.ndarray) -> list[float]:
    """The peaks of all contexts, strongest first, of every text only the strongest.

    The text of a peak: up to 16 tokens up to it, from the BOS of its story on. Both arguments are
    [contexts, context size].
    """
    places = [(row.max(), context, int(row.argmax())) for context, row in enumerate(activations)]
    found: dict[tuple[int, ...], float] = {}
    for peak, context, position in sorted(places, key=lambda place: (-place[0], place[1])):
        text = tokens[context, max(0, position - 15) : position + 1].tolist()
        starts = [number for number, token in enumerate(text) if token == BOS]
        found.setdefault(tuple(text[starts[-1] if starts else 0 :]), float(peak))
    return list(found.values())


def test_top_examples_are_the_strongest_contexts(built: Built, dense: np.ndarray, shared_dir: Path) -> None:
    tokens = stories.packed(shared_dir).numpy()
    rows = built.store.read("examples", SLUG).to_pylist()
    top = [row for row in rows if row["group"] == "top"]
    assert len({(row["feature_idx"], row["context_idx"]) for row in top}) == len(top)
    for row in top[:: max(1, len(top) // 200)]:
        context, position, feature = row["context_idx"], row["position"], row["feature_idx"]
        peaks = strongest_texts(dense[..., feature], tokens)
        assert row["activation"] == pytest.approx(peaks[row["rank"]], rel=1e-5)
        start = position - row["peak"]
        stop = start + len(row["token_ids"])
        assert row["token_ids"] == tokens[context, start:stop].tolist()
        shown = np.array(row["activations"])
        np.testing.assert_allclose(shown, dense[context, start:stop, feature], rtol=1e-4, atol=1e-5)


def test_both_engines_give_the_same_atlas(built: Built, shared_dir: Path, tmp_path: Path) -> None:
    atlas_build(stories.write_config(shared_dir, built.sae, tmp_path, engine="transformer_lens"))
    other = AtlasStore.open(tmp_path / "build/data").read("features", SLUG)
    table = built.store.read("features", SLUG)
    # A value within rounding of its threshold may fall either way: a handful of firings in a quarter million.
    difference = np.abs(table["firing_tokens"].to_numpy() - other["firing_tokens"].to_numpy())
    assert difference.sum() <= 5
    same = difference == 0
    for name in ("max_activation", "mean_activation"):
        ours, theirs = (np.asarray(t[name].to_pylist(), dtype=float)[same] for t in (table, other))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, equal_nan=True)


def test_the_result_passes_its_own_check(built: Built) -> None:
    assert check_dataset(built.store.path) == []
    assert check_site(built.site) == []


@pytest.fixture(params=["http", "file"])
def address(
    request: pytest.FixtureRequest, built: Built, serve: Callable[..., StaticHost]
) -> Iterator[Callable[[str], str]]:
    """Page path → its URL, over http below a base path and from the folder."""
    if request.param == "http":
        yield serve(built.site).url
    else:
        yield lambda path: f"{built.site.as_uri()}/{path}"


@pytest.fixture
def healthy(visit: Visitor, address: Callable[[str], str]) -> Iterator[Visit]:
    """A page whose console must be empty and whose requests must stay in the folder, until the test ends."""
    visited = visit()
    yield visited
    assert visited.record.problems(address("")) == []


def pick_token(built: Built) -> tuple[str, int]:
    """A word-like token and the feature that fires on it most, by sum of activations."""
    pieces = {
        row["token_id"]: row["bytes"].decode("utf-8", "replace")
        for row in built.store.read("vocabulary").to_pylist()
    }
    best: dict[str, tuple[float, int]] = {}
    for row in built.store.read("features", SLUG, ["feature_idx", "top_tokens"]).to_pylist():
        for token in row["top_tokens"] or []:
            text = pieces[token["token_id"]]
            if text.strip().isalpha() and len(text.strip()) > 2:
                strength = token["count"] * token["value"]
                best[text] = max(best.get(text, (0.0, -1)), (strength, row["feature_idx"]))
    text = max(best, key=lambda word: best[word][0])
    return text, best[text][1]


def test_search_finds_a_feature_by_its_token(
    healthy: Visit, address: Callable[[str], str], built: Built
) -> None:
    token, feature = pick_token(built)
    page = healthy.open(address("index.html"))
    page.keyboard.press("/")
    page.keyboard.type(token.strip())
    page.wait_for_selector("atlas-search-box [role=option]")
    found = page.locator("atlas-search-box [role=option] .option-meta code").all_inner_texts()
    assert str(feature) in found, (token, feature, found)
    for _ in range(found.index(str(feature)) + 1):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{SLUG}/0/{feature}.html*")


def test_the_map_opens_a_feature(healthy: Visit, address: Callable[[str], str]) -> None:
    page = healthy.open(address("map.html"))
    page.wait_for_selector("atlas-map[data-ready]")
    page.locator("atlas-map .map-frame").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("html[data-page=feature]")
    assert f"/{SLUG}/0/" in page.url


def test_the_table_sorts(healthy: Visit, address: Callable[[str], str], built: Built) -> None:
    page = healthy.open(address(f"{SLUG}/index.html"))
    page.wait_for_selector("atlas-feature-table[data-ready]")
    heading = page.get_by_role("columnheader", name="max activation")
    largest = built.store.read("features", SLUG, ["feature_idx", "max_activation"]).to_pydict()
    values = dict(zip(largest["feature_idx"], largest["max_activation"], strict=True))
    for state, sign in (("descending", -1), ("ascending", 1)):
        expected = sorted(values, key=lambda feature: (sign * values[feature], feature))
        heading.locator(".sort").click()
        page.wait_for_function(
            """([state, first]) => {
              const table = document.querySelector("atlas-feature-table");
              const sorted = table.querySelector("[data-column=max_activation]").ariaSort === state;
              const waits = table.isUpdatePending || table.dataset.ready === undefined;
              return sorted && !waits && table.querySelector(`tr[aria-rowindex="2"]#table-row-${first}`);
            }""",
            arg=[state, expected[0]],
        )
        links = page.locator("tbody tr[aria-rowindex] .column-explanation a").evaluate_all(
            "(all) => all.map((one) => one.getAttribute('href'))"
        )
        assert len(links) > 10
        shown = [int(link.rsplit("/", 1)[1].removesuffix(".html")) for link in links]
        assert shown == expected[: len(shown)]
        sort = parse_qs(urlsplit(page.url).query)["sort"]
        assert sort == ["-max_activation" if sign < 0 else "max_activation"]


def test_a_feature_page_shows_every_group_of_examples(
    healthy: Visit, address: Callable[[str], str], built: Built
) -> None:
    firing = np.array(built.store.read("features", SLUG, ["firing_tokens"])["firing_tokens"])
    page = healthy.open(address(f"{SLUG}/0/{int(firing.argmax())}.html"))
    page.wait_for_selector("atlas-feature[data-ready]")
    assert page.locator("atlas-feature li.example").count() == 20
    page.get_by_role("tab", name=re.compile("strength", re.IGNORECASE)).click()
    assert page.locator("atlas-feature li.example").count() >= 16
    page.get_by_role("tab", name=re.compile("random", re.IGNORECASE)).click()
    assert page.locator("atlas-feature li.example").count() == 8


def one_line(text: str) -> str:
    """A text as it reads on one line: marks of newlines and spaces are single spaces."""
    return " ".join(text.replace("↵", " ").split())


def test_without_javascript_a_feature_page_still_reads(
    visit: Visitor, address: Callable[[str], str], built: Built
) -> None:
    rows: list[dict[str, Any]] = built.store.read("examples", SLUG).to_pylist()
    feature = next(r["feature_idx"] for r in rows if r["group"] == "top" and r["rank"] == 0)
    tops = [r for r in rows if r["group"] == "top" and r["feature_idx"] == feature]
    tops = sorted(tops, key=lambda r: r["rank"])[:4]
    assert len(tops) == 4
    pieces = {
        row["token_id"]: row["piece"].encode() if row["special"] else row["bytes"]
        for row in built.store.read("vocabulary").to_pylist()
    }

    def words(tokens: list[int]) -> str:
        return one_line(b"".join(pieces[token] for token in tokens).decode("utf-8", "replace"))

    visited = visit(javascript=False)
    page = visited.open(address(f"{SLUG}/0/{feature}.html"))
    lines = page.locator("ol.brief li:visible").all()
    assert len(lines) == len(tops)
    for line, row in zip(lines, tops, strict=True):
        number, text = one_line(line.inner_text()).split(" ", 1)
        assert float(number) == rounded(row["activation"])
        tokens, peak = row["token_ids"], row["peak"]
        # A few tokens on either side of the peak, without a gap and nothing else.
        assert words(tokens[max(0, peak - 5) : peak + 5]) in text
        assert text in words(tokens)
        assert one_line(line.locator("mark").inner_text()) == words(tokens[peak : peak + 1])
    headings = page.locator("main h2:visible").all_text_contents()
    assert headings == ["Top examples", "Neighbours", "Numbers"]
    assert [one_line(text) for text in page.locator("dl.words dt:visible").all_text_contents()] == [
        "Fires on",
        "Raises",
        "Lowers",
    ]
    for kept in ("dl.words dt + dd", "ul.brief a[href]", "dl.brief dd"):
        assert all(text.strip() for text in page.locator(kept).all_inner_texts()), kept
        assert page.locator(f"{kept} >> visible=true").count() >= 3, kept
    assert visited.record.problems(address("")) == []
