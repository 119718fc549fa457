"""How well the search finds features: `python -m bench.search_quality DATASET`, into RESULTS.md.

Two sets of query → features, both judged on the examples of the group 'random', which are taken out of the
dataset before the index is built, so that no search has seen them (an explanation made by the atlas may
name the kind of token that most of them are on, and nothing else of them):

- *passages*: a query is the last three words up to the peak of such an example; right is the feature that
  it shows.
- *topics*: the 40 hand-written queries of `tests/support/search_pairs.json`; right are the features at whose
  peaks (4 tokens before to 1 after) the pair's pattern is found in at least 60 % of at least 5 such examples.

Each is searched by the site's own code over three indices: explanations alone, explanations and top tokens,
and everything; the last with and without meaning. Figures: mean reciprocal rank of the first right feature,
and recall@10, the right ones among the first ten over as many as could be (10, or all there are).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from atlas.index.search import build_postings
from atlas.index.vectors import build_vectors
from atlas.render.search import SearchTables, search_shards
from atlas.render.shards import encode_shard, shard_path
from atlas.schema import EXAMPLES, POSTINGS
from atlas.store import AtlasStore
from bench.results import write_section

ROOT = Path(__file__).resolve().parents[1]
PAIRS = ROOT / "tests" / "support" / "search_pairs.json"
N_PASSAGES = 400
WORDS = 3
HELD_OUT = "random"
LEAST_EXAMPLES, LEAST_SHARE = 5, 0.6
NEAR = (-4, 1)
FIRST = 10

INDICES = {
    "explanations": ("word",),
    "explanations and top tokens": ("word", "token"),
    "everything": ("word", "token", "seen", "example", "phrase"),
}


class HeldOut:
    """The examples that the index never sees."""

    def __init__(self, store: AtlasStore) -> None:
        table = store.read("vocabulary", columns=["token_id", "bytes"])
        self.content = table["bytes"].to_pylist()
        self.rows: list[dict[str, Any]] = []
        first = 0
        for entry in store.manifest.saes:
            rows = store.read("examples", entry.slug)
            rows = rows.filter(pc.equal(rows["group"], HELD_OUT))
            for row in rows.select(["feature_idx", "peak", "token_ids"]).to_pylist():
                self.rows.append(row | {"number": first + row["feature_idx"]})
            first += entry.n_features

    def text(self, row: dict[str, Any], first: int, last: int) -> str:
        """The tokens first … last as seen from the peak."""
        start, stop = max(row["peak"] + first, 0), row["peak"] + last + 1
        ids = row["token_ids"][start:stop]
        return b"".join(self.content[number] or b"" for number in ids).decode("utf-8", "replace")

    def passages(self) -> list[tuple[str, set[int]]]:
        """(query, the feature) of a sample of the examples."""
        found: list[tuple[str, set[int]]] = []
        for row in np.random.default_rng(0).permutation(np.array(self.rows, object)):
            said = re.findall(r"\w+", self.text(row, -12, 0))[-WORDS:]
            if len(said) == WORDS and len(found) < N_PASSAGES:
                found.append((" ".join(said), {row["number"]}))
        return found

    def topics(self) -> list[tuple[str, set[int]]]:
        """(query, the features about it) of the hand-written pairs."""
        texts: dict[int, list[str]] = {}
        for row in self.rows:
            texts.setdefault(row["number"], []).append(self.text(row, *NEAR))
        found: list[tuple[str, set[int]]] = []
        for pair in json.loads(PAIRS.read_text(encoding="utf-8")):
            pattern = re.compile(pair["near"], re.IGNORECASE if pair["near"].islower() else 0)
            right = {
                number
                for number, own in texts.items()
                if len(own) >= LEAST_EXAMPLES
                and sum(pattern.search(text) is not None for text in own) >= LEAST_SHARE * len(own)
            }
            if right:
                found.append((pair["query"], right))
        return found


def without_held_out(store: AtlasStore, folder: Path) -> AtlasStore:
    """A copy of what the index reads of `store`, less the examples that judge it."""
    copy = AtlasStore.create(folder)
    copy.update(saes=[entry.model_dump() for entry in store.manifest.saes])
    keys: list[tuple[str, str | None]] = [("vocabulary", None)]
    for entry in store.manifest.saes:
        keys += [(name, entry.slug) for name in ("features", "explanations", "examples")]
    for name, slug in keys:
        rows = store.read(name, slug)
        if name == "examples":
            rows = rows.filter(pc.not_equal(rows["group"], HELD_OUT))
        with copy.writer(name, sae=slug, schema=EXAMPLES if name == "examples" else rows.schema) as writer:
            writer.write(rows)
    return copy


def write_index(store: AtlasStore, fields: tuple[str, ...], folder: Path) -> None:
    """The search shards of an index that has only `fields`; the table `postings` of `store` is complete."""
    whole = store.read("postings")
    with store.writer("postings", schema=POSTINGS) as writer:
        writer.write(whole.filter(pc.is_in(whole["field"], pa.array(fields))))
    build_vectors(store)
    saes = [{"slug": entry.slug, "n_features": entry.n_features} for entry in store.manifest.saes]
    shards = [("site", {"saes": saes}), *search_shards(SearchTables(store))]
    for key, payload in shards:
        path = folder / shard_path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_shard(key, payload))
    (folder / "sizes.json").write_text(json.dumps([entry.n_features for entry in store.manifest.saes]))
    with store.writer("postings", schema=POSTINGS) as writer:
        writer.write(whole)


def figures(right: list[set[int]], found: list[list[int]]) -> dict[str, float]:
    """Mean reciprocal rank and recall@10."""
    ranks = [
        next((1 / place for place, number in enumerate(numbers, 1) if number in wanted), 0.0)
        for wanted, numbers in zip(right, found, strict=True)
    ]
    recall = [
        len(wanted.intersection(numbers[:FIRST])) / min(FIRST, len(wanted))
        for wanted, numbers in zip(right, found, strict=True)
    ]
    return {"mrr": round(sum(ranks) / len(ranks), 3), "recall_at_10": round(sum(recall) / len(recall), 3)}


def measure(store: AtlasStore, scratch: Path) -> dict[str, Any]:
    """Sizes of the sets, then per set and index the figures."""
    held_out = HeldOut(store)
    sets = {"passages": held_out.passages(), "topics": held_out.topics()}
    result: dict[str, Any] = {"queries": {name: len(pairs) for name, pairs in sets.items()}}
    runner = scratch / "runner.mjs"
    subprocess.run(
        ["npx", "esbuild", "../../bench/search_runner.ts", "--bundle", "--format=esm", "--platform=node",
         "--log-level=error", f"--outfile={runner}"],
        cwd=ROOT / "themes" / "default", check=True,
    )  # fmt: skip
    copy = without_held_out(store, scratch / "data")
    build_postings(copy)
    for label, fields in INDICES.items():
        site = scratch / label.replace(" ", "-")
        write_index(copy, fields, site)
        for name, pairs in sets.items():
            queries = scratch / "queries.json"
            queries.write_text(json.dumps([query for query, _ in pairs]))
            command = ["node", runner, site, queries]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            for way, found in json.loads(done.stdout).items():
                kind = label if way == "words" else f"{label}, with meaning"
                result.setdefault(name, {})[kind] = figures([right for _, right in pairs], found)
    return result


def section(result: dict[str, Any], title: str) -> str:
    """The figures as a section of RESULTS.md."""
    counts = result["queries"]
    lines = [
        "## How well the search finds",
        "",
        (
            f"Dataset: {title}. {counts['passages']} passages and {counts['topics']} topics, judged on"
            " examples that no index has seen (`bench/search_quality.py` says how). MRR: mean reciprocal rank"
            " of the first right feature. Recall@10: right ones among the first ten, over as many as can be."
        ),
        "",
        "| index | passages MRR | passages recall@10 | topics MRR | topics recall@10 |",
        "|---|---|---|---|---|",
    ]
    for kind in result["passages"]:
        cells = [f"{result[name][kind][key]:.3f}" for name in counts for key in ("mrr", "recall_at_10")]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Measure, and write the figures into RESULTS.md."""
    store = AtlasStore.open(Path(arguments[0]))
    with tempfile.TemporaryDirectory() as scratch:
        write_section(section(measure(store, Path(scratch)), store.manifest.title))


if __name__ == "__main__":
    main(sys.argv[1:])
