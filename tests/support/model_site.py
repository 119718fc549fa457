"""A small site that runs a model in the browser, for tests of the pages that use it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from atlas.config import RenderConfig
from atlas.index.search import build_postings
from atlas.index.vectors import build_vectors
from atlas.render.output import Output
from atlas.render.site import render_site
from atlas.store import AtlasStore
from tests.support import requirements
from tests.support.requirements import ROOT
from tests.support.synthetic import make_atlas
from tests.support.toy_model import add_toy_model

FEATURES = 160
"""Features per SAE (alpha, beta); number 3 never fired in the corpus."""


def model_dataset(folder: Path, hostile: Sequence[str] = ()) -> AtlasStore:
    """A synthetic atlas with index and toy model, in `folder`/data; `hostile` as in `make_atlas`."""
    store = make_atlas(folder / "data", n_features=FEATURES, hostile=hostile)
    with store.lock():
        build_postings(store)
        build_vectors(store)
        add_toy_model(store)
    return store


def model_site(store: AtlasStore, *, webgpu: bool = False) -> Path:
    """Render the site beside the dataset, and return where it lies; `webgpu` as in the config."""
    if not (ROOT / "themes/default/dist/ort.wasm").is_file():
        requirements.missing(
            "the scripts are not bundled", fix="cd themes/default && npm ci && npm run build"
        )
    folder = store.path.parent
    with Output(folder / "site") as out:
        render_site(store, RenderConfig(webgpu=webgpu), out, base=folder)
    return folder / "site"
