"""One word per thing, the same in Python, parquet, JSON, TypeScript and on the page."""

from __future__ import annotations

import re

import pytest

from tests.support import tree
from tests.support.requirements import ROOT

FOREIGN = {
    "hook_point": "hook_name",
    "hookpoint": "hook_name",
    "feat_idx": "feature_idx",
    "latent_idx": "feature_idx",
    "feature_index": "feature_idx",
    "latent_index": "feature_idx",
    "num_latents": "d_sae",
    "frac_nonzero": "activation_density",
}
"""Words of other tools → ours. They may stand only where foreign files are read or written."""

BORDERS = ("atlas/sources/", "atlas/export/", "atlas/demo/")
"""Folders that speak with other tools."""

OURS = [
    path
    for path in tree.files("atlas", "themes", suffixes=(".py", ".ts", ".html", ".css", ".yaml"))
    if not tree.name(path).startswith(BORDERS)
]


def foreign_words(text: str) -> list[str]:
    """`line N: word` for every foreign word in `text`, as snake_case or camelCase."""
    found: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        flat = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", line).lower()
        found += [
            f"line {number}: {word}" for word in FOREIGN if re.search(rf"(?<![a-z]){word}s?(?![a-z])", flat)
        ]
    return found


@pytest.mark.parametrize("path", OURS, ids=tree.name)
def test_only_our_words(path):
    assert foreign_words(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line", ["x.hook_point", "hookPoint = 1", "for feat_idx in y", "latentIdx", "feature_index"]
)
def test_foreign_words_are_seen(line: str):
    assert foreign_words(line) != []


@pytest.mark.parametrize("line", ["hook_name", "feature_idx", "an index of the feature", "features indexed"])
def test_our_words_pass(line: str):
    assert foreign_words(line) == []


def test_the_words_are_explained():
    text = (ROOT / "docs" / "words.md").read_text(encoding="utf-8")
    for word in ("feature_idx", "d_in", "d_sae", "hook_name", "sae_id", "release", "activation",
                 "activation_density", "top_examples", "logit_effects", "positive_logits", "explanation",
                 "neighbours", "context", "W_enc", "W_dec", "b_enc", "b_dec", "threshold"):  # fmt: skip
        assert f"`{word}`" in text, word
