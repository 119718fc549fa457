"""The pages that run the model: where the dataset has one, with the figures of its gate, and nowhere else."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from atlas.config import RenderConfig
from atlas.render.frames import MODEL_PAGES, Frames
from atlas.render.modelpages import model_pages
from atlas.render.output import Output
from atlas.render.site import plan_site, render_site
from atlas.store import AtlasStore
from tests.support.sites import Site
from tests.support.synthetic import make_atlas
from tests.support.toy_model import GATE, add_toy_model

PAGES = [f"{kind}.html" for kind in MODEL_PAGES]


def rendered(store: AtlasStore, folder: Path) -> Site:
    with Output(folder) as out:
        report = render_site(store, RenderConfig(), out, scripts=False)
    plan = plan_site(store, RenderConfig(), scripts=False)
    assert (plan.pages, plan.files) == (report.pages, report.files)
    return Site(folder)


@pytest.fixture(scope="module")
def modelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, AtlasStore]:
    """The site of a dataset with a toy model, and the dataset."""
    folder = tmp_path_factory.mktemp("modelled")
    store = make_atlas(folder / "data", n_features=12)
    add_toy_model(store)
    return rendered(store, folder / "site"), store


def test_every_page_is_there_and_named_in_the_menu_of_all(modelled: tuple[Site, AtlasStore]):
    site, _ = modelled
    assert set(PAGES) <= set(site.pages)
    for path, page in site.pages.items():
        menu = [a for a in page.all("a") if a.attributes.get("href", "").endswith("test.html")]
        assert menu, path
        current = [a for a in menu if a.attributes.get("aria-current") == "page"]
        assert bool(current) == (path in PAGES), path
    assert "Test a text of your own" in site.pages["index.html"].source


def test_the_pages_name_each_other(modelled: tuple[Site, AtlasStore]):
    site, _ = modelled
    for path in PAGES:
        source = site.pages[path].source
        tabs = re.search(r'<nav class="model-tabs".*?</nav>', source, re.DOTALL)
        assert tabs is not None, path
        assert re.findall(r'href="([^"]+)"', tabs[0]) == PAGES
        assert re.findall(r'href="([^"]+)" aria-current="page"', tabs[0]) == [path]


def test_a_dataset_without_a_model_has_none_of_them(tmp_path: Path):
    site = rendered(make_atlas(tmp_path / "data", n_features=6), tmp_path / "site")
    assert not set(PAGES) & set(site.pages)
    for path, page in site.pages.items():
        assert not [a for a in page.all("a") if a.attributes.get("href", "").endswith("test.html")], path
    assert site.shard("site")["model"] is False


def test_the_figures_of_the_gate_are_exact_and_defined(modelled: tuple[Site, AtlasStore]):
    site, store = modelled
    source = site.pages["test.html"].source
    exact = re.search(r'<section class="section" id="exact">.*?</section>', source, re.DOTALL)
    assert exact is not None
    told = exact[0]
    assert told.count("top-20 overlap</dt>") == 2 * len(store.manifest.saes)
    shown = re.findall(r'<dt>([^<]+)</dt><dd title="([^"]*)">([^<]*)', told)
    figures = {label: (float(full), text.strip()) for label, full, text in shown}
    assert figures["compared on"] == (GATE["n_tokens"], "4,096")
    assert figures["top-20 overlap"] == (GATE["top_overlap"], "0.999")
    assert figures["relative error"] == (GATE["relative_error"], "2.0e−5")  # noqa: RUF001 - as readers see it
    assert figures["fire in one only"] == (GATE["flips"], "0.0040")
    assert figures["largest error"] == (GATE["largest_error"], "0.00030")
    assert figures["same next token"] == (GATE["argmax_agreement"], "100\u202f%")
    assert "of 21.5 a token" in told
    assert re.search(r"<dt>top-20 overlap</dt><dd>[^<]{20,}</dd>", told)


@pytest.mark.parametrize(
    ("precision", "words"), [("fp32", "in 32 bits"), ("fp16", "in 16 bits"), ("int8", "in 8 bits")]
)
def test_the_precision_is_said_in_words(modelled: tuple[Site, AtlasStore], precision: str, words: str):
    manifest = modelled[1].manifest
    other = manifest.model_copy(update={"browser_model": {**manifest.browser_model, "precision": precision}})
    for page in model_pages(Frames(other, {}, {}, has_map=False)):
        assert re.search(rf"^Weights are stored [^.]*{words}[^.]*\({precision}\)", page.model.precision)


def test_hostile_titles_are_text(modelled: tuple[Site, AtlasStore]):
    manifest = modelled[1].manifest
    saes = [entry.model_copy(update={"title": "<script>alert(1)</script>"}) for entry in manifest.saes]
    hostile = manifest.model_copy(update={"saes": saes, "title": '"><img src=x>'})
    pages = list(model_pages(Frames(hostile, {}, {}, has_map=False)))
    assert [page.head.kind for page in pages] == list(MODEL_PAGES)
    for page in pages:
        assert all("<" not in str(section.sae.title) for section in page.model.sections)


def test_the_pages_are_well_formed_and_their_headings_descend(modelled: tuple[Site, AtlasStore]):
    site, _ = modelled
    for path in PAGES:
        page = site.pages[path]
        levels = [int(element.tag[1]) for element in page.elements if re.fullmatch("h[1-6]", element.tag)]
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), levels
        assert len(page.all("main")) == 1
        assert page.one("html").attributes["data-page"] == path.removesuffix(".html")
