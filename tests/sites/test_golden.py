"""One small site, kept in the repository and compared byte for byte.

The dataset it is rendered from is kept too, so that a dataset of an older atlas goes on having a site. A
change of the pages shows as a difference of `tests/sites/golden`; make it on purpose with

    ATLAS_UPDATE_GOLDEN=site  pytest tests/sites    # render the kept dataset again
    ATLAS_UPDATE_GOLDEN=all   pytest tests/sites    # make the dataset again as well

Left out are scripts and stylesheets, which have tests of their own, their hashes in addresses, and the list
of all files' hashes.
Data files are kept as the JSON they hold: how well gzip packs it is up to the machine's zlib.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from atlas.check.shard import BYTES_FOLDERS
from atlas.config import RenderConfig
from atlas.render.output import MARKER, Output
from atlas.render.packing import MAGIC
from atlas.render.site import render_site
from atlas.store import AtlasStore
from tests.support.feature_shards import common_pieces, read_features
from tests.support.sites import Site, read_bytes, read_shard
from tests.support.synthetic import TEXTS, make_atlas

HERE = Path(__file__).parent
DATA, GOLDEN = HERE / "data", HERE / "golden"
UPDATE = os.environ.get("ATLAS_UPDATE_GOLDEN", "")
VERSION = re.compile(rb"(assets/[a-z.-]+)\?[0-9a-f]{6}")
HOSTILE = ["<script>alert('golden')</script>", "\u202egolden\u2066", "a\u200db\ufeff"]


def make_dataset(folder: Path) -> None:
    """A dataset of one SAE of twelve features, some of its text hostile, with fixed bytes."""
    store = make_atlas(folder, n_features=12, saes=("alpha",), dead=(3,), texts=[*TEXTS[:6], *HOSTILE])
    store.update(
        title="Golden <atlas>",
        description="Kept byte for byte.",
        author="The Feature Atlas developers",
        base_url="https://example.org/golden/",
        atlas_version="0",
    )
    (folder / ".lock").unlink(missing_ok=True)


def rendered(folder: Path) -> dict[str, bytes]:
    """The site of the kept dataset as kept: path → bytes."""
    with Output(folder / "site") as out:
        render_site(
            AtlasStore.open(DATA), RenderConfig(static_examples=3, features_per_shard=8), out, scripts=False
        )
    site = Site(folder / "site")
    found: dict[str, bytes] = {}
    for name, content in site.files.items():
        if name == MARKER or name.endswith(".css"):
            continue
        if name.startswith("data/"):
            kept, data = data_file(site, name.removeprefix("data/").removesuffix(".js"))
            found[f"data/{kept}"] = data
        else:
            found[name] = VERSION.sub(rb"\1?000000", content)
    return found


def data_file(site: Site, key: str) -> tuple[str, bytes]:
    """A data file as kept: what it holds, as JSON where it can be read as such."""
    data = read_bytes(key, site.files[f"data/{key}.js"])
    if data.startswith(MAGIC):
        payload = read_features(data, common_pieces(site.shard("pieces")))
    elif BYTES_FOLDERS.intersection(key.split("/")[:-1]):
        return f"{key}.bin", data
    else:
        payload = read_shard(key, site.files[f"data/{key}.js"])
    return f"{key}.json", (json.dumps(payload, ensure_ascii=False, indent=1) + "\n").encode()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    if UPDATE:
        assert os.environ.get("CI") != "true", "the golden site is never updated by a machine"
        assert UPDATE in {"site", "all"}, "ATLAS_UPDATE_GOLDEN is 'site' or 'all'"
    if UPDATE == "all":
        shutil.rmtree(DATA, ignore_errors=True)
        make_dataset(DATA)
    files = rendered(tmp_path_factory.mktemp("golden"))
    if UPDATE:
        shutil.rmtree(GOLDEN, ignore_errors=True)
        for name, data in files.items():
            (GOLDEN / name).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / name).write_bytes(data)
    return files


def kept() -> dict[str, bytes]:
    return {
        path.relative_to(GOLDEN).as_posix(): path.read_bytes() for path in GOLDEN.rglob("*") if path.is_file()
    }


def test_the_site_has_exactly_the_kept_files(fresh: dict[str, bytes]):
    assert sorted(fresh) == sorted(kept())


@pytest.mark.parametrize("name", sorted(kept()) or ["index.html"])
def test_every_file_is_as_it_was(fresh: dict[str, bytes], name: str):
    assert fresh[name] == (GOLDEN / name).read_bytes(), (
        f"{name} changed; if on purpose: ATLAS_UPDATE_GOLDEN=site"
    )


def test_the_kept_dataset_is_intact():
    assert AtlasStore.open(DATA).verify() == []


def test_addresses_are_those_that_were_published(fresh: dict[str, bytes]):
    """Once published, these never change, whatever else does."""
    published = {f"alpha/0/{feature}.html" for feature in range(12)}
    published |= {
        "index.html",
        "about.html",
        "map.html",
        "search.html",
        "404.html",
        "alpha/index.html",
        "alpha/0/index.html",
    }
    assert published <= set(fresh)


def test_addresses_do_not_depend_on_the_theme(tmp_path: Path, fresh: dict[str, bytes]):
    slate = HERE.parents[1] / "themes" / "slate"
    with Output(tmp_path / "site") as out:
        config = RenderConfig(theme=str(slate), static_examples=3, features_per_shard=8)
        render_site(AtlasStore.open(DATA), config, out, scripts=False)
    pages = {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*.html")}
    assert pages == {name for name in fresh if name.endswith(".html")}
