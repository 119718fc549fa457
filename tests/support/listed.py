"""A small site with a curated list, for tests of what readers do with features."""

from __future__ import annotations

from pathlib import Path

from atlas.config import RenderConfig
from atlas.render.output import Output
from atlas.render.site import render_site
from tests.support import requirements
from tests.support.requirements import ROOT
from tests.support.synthetic import make_atlas

FEATURES = 40
"""Features per SAE (alpha, beta); number 3 never fires."""

CURATED = """\
name: Brackets & <quotes>
description: What opens and what closes.
features:
  - {sae: alpha, feature_idx: 5, note: "Look at the <b>chance</b> samples \\u202e too."}
  - {sae: beta, feature_idx: 7}
"""


def listed_site(folder: Path, base_url: str | None = None) -> Path:
    """Render the site into `folder`, and return where it lies."""
    if not (ROOT / "themes/default/dist/site.js").is_file():
        requirements.missing(
            "the scripts are not bundled", fix="cd themes/default && npm ci && npm run build"
        )
    store = make_atlas(folder / "data", n_features=FEATURES)
    store.update(base_url=base_url)
    (folder / "lists").mkdir()
    (folder / "lists" / "brackets.yaml").write_text(CURATED, encoding="utf-8")
    with Output(folder / "site") as out:
        render_site(store, RenderConfig(), out, base=folder)
    return folder / "site"
