"""A feature shard and what is in it, as Python reads it.

`themes/default/test/feature-codec.test.ts` reads the same file.
Written anew with `python -m tests.unit.front.test_feature_twins`.
"""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path
from typing import Any

from atlas.config import RenderConfig
from atlas.render.builder import Builder
from tests.support.feature_shards import read_features
from tests.support.requirements import ROOT
from tests.support.synthetic import TEXTS, make_atlas

CASES = ROOT / "tests" / "support" / "feature_shard_cases.json"
FEATURES = 7
HOSTILE = ["<script>alert(1)</script>", "\u202egolden\u2066", "a\u200db\ufeff"]


def cases() -> dict[str, Any]:
    """The whole golden file."""
    with tempfile.TemporaryDirectory() as folder:
        store = make_atlas(
            Path(folder) / "data", n_features=9, saes=("alpha",), dead=(3,), texts=[*TEXTS[:6], *HOSTILE]
        )
        builder = Builder(store, RenderConfig(), Path(), scripts=False)
        sae = builder.saes[0]
        common = builder.common.texts[:40]
        builder.common.texts = common
        builder.common.index[builder.common.index >= len(common)] = -1
        block = sae.data.block(1, 1 + FEATURES)
        data = sae._shards.content(block, [f"{feature:018x}" for feature in range(1, 1 + FEATURES)])
    return {
        "common": common,
        "columns": len(sae.data.drawn),
        "bytes": base64.b64encode(data).decode(),
        "decoded": read_features(data, common),
    }


def test_the_golden_shard_is_what_python_writes_and_reads():
    assert json.loads(CASES.read_text(encoding="utf-8")) == json.loads(json.dumps(cases()))


def test_it_has_something_of_everything():
    shard = json.loads(CASES.read_text(encoding="utf-8"))["decoded"]
    assert len(shard["pieces"]) > 40
    assert shard["titles"]
    groups = {group["group"] for feature in shard["features"] for group in feature["groups"]}
    assert groups >= {"top", "interval", "random"}
    assert any(effect["raised"] for feature in shard["features"] for effect in feature["effects"])
    values = [value for feature in shard["features"] for value in feature["values"]]
    assert {type(value) for value in values} >= {int, float, list, type(None)}


if __name__ == "__main__":
    CASES.write_text(json.dumps(cases(), ensure_ascii=False) + "\n", encoding="utf-8")
