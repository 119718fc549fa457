"""The parts of a site, and what each is made from: a part made from the same things need not be made again.

A part is some files that are made together: the pages and the data file of a block of features, a list of a
thousand, the model for browsers. It is made from two things and sees nothing else:

- the *ground*: the dataset without explanations, search index and history (`ground`), the theme's files, the
  settings, the choice of examples, the curated lists, and this software. All of it is in one digest, so any
  change of it makes every part anew;
- the explanations of its own features and of those that the lists of its features name (`block_inputs`).

A template may also ask for `site.build_id`, which every change of a dataset changes: `WatchedSite` notices,
and then the key holds it too. `atlas.render.output.Output.keep` compares keys with those of the previous
site, and its files with their hashes.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import platform
import sys
import zlib
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.store.files import named_hashes, sha256_file
from atlas.store.manifest import Manifest, encode_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from atlas.config import RenderConfig
    from atlas.render.choice import Choice
    from atlas.render.dataset import SaeData
    from atlas.render.features import Explanations
    from atlas.render.output import Output
    from atlas.render.views import SiteFrame
    from atlas.store import AtlasStore

_TABLES = {"explanations", "postings", "vectors"}
"""Tables that the ground is without."""

_HISTORY = {"config", "enrichers", "stages", "versions"}
"""Fields of the manifest that say how the dataset was built."""

_NAMED = ("feature_list", "neighbours")
"""Kind, or name, of a column whose entries begin with the number of a feature."""


def ground(store: AtlasStore) -> AtlasStore:
    """The dataset as the makers of parts see it: `store` without the tables that explanations change."""
    fields = store.manifest.model_dump(exclude=_HISTORY)
    tables = fields.pop("tables")
    kept = {key: files for key, files in tables.items() if key.rpartition("/")[2] not in _TABLES}
    return store.seen_as(Manifest.model_validate({**fields, "tables": kept}))


def ground_digest(
    seen: AtlasStore,
    config: RenderConfig,
    choice: Choice,
    theme: str,
    lists: Iterable[Path],
    *,
    scripts: bool,
) -> str:
    """SHA-256 hex of the ground.

    `seen` is what `ground` gives, `theme` the theme's hash, `lists` are the files of curated lists; `scripts`
    says whether the site has any.
    """
    facts: dict[str, Any] = {
        "software": software(),
        "dataset": hashlib.sha256(encode_manifest(seen.manifest)).hexdigest(),
        "config": config.model_dump(mode="json"),
        "choice": dataclasses.asdict(choice),
        "theme": theme,
        "lists": named_hashes(lists),
        "scripts": scripts,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@functools.cache
def software() -> str:
    """SHA-256 hex of all that computes: this package's sources, Python, and every installed distribution."""
    package = Path(__file__).resolve().parents[1]
    sources = [[path.relative_to(package).as_posix(), sha256_file(path)] for path in package.rglob("*.py")]
    installed = {(found.name, found.version) for found in distributions()}
    machine = [sys.version, platform.machine(), zlib.ZLIB_RUNTIME_VERSION]
    facts = [machine, sorted(sources), sorted(installed)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def explanation_marks(explanations: Explanations) -> NDArray[np.uint8]:
    """[n_features, 32] SHA-256 of all that is known of each feature's explanation."""
    columns = (explanations.texts, explanations.methods, explanations.scores, explanations.score_names)
    marks = (hashlib.sha256(repr(facts).encode()).digest() for facts in zip(*columns, strict=True))
    return np.frombuffer(b"".join(marks), np.uint8).reshape(-1, 32)


def block_inputs(
    data: SaeData, marks: NDArray[np.uint8], blocks: Sequence[tuple[int, int]]
) -> Iterator[bytes]:
    """What is seen of the explanations when the features of each of some adjoining `blocks` are drawn.

    Those of its own features, and of all that an entry of one of their lists of features names.
    """
    start, stop = blocks[0][0], blocks[-1][1]
    names = [name for name, drawn in data.drawn.items() if drawn.info.kind == _NAMED[0] or name == _NAMED[1]]
    columns = [
        column for column in data.columns_of(names, start, stop).values() if column.offsets is not None
    ]
    for first, last in blocks:
        named = (column.part(first - start, last - start).fields[0] for column in columns)
        features = np.unique(np.concatenate([np.arange(first, last), *named]).astype(np.int64))
        features = features[(features >= 0) & (features < len(marks))]
        yield features.tobytes() + marks[features].tobytes()


class WatchedSite:
    """The `site` that templates of parts get: a `SiteFrame` that notices who asks for the build."""

    def __init__(self, site: SiteFrame) -> None:
        self.asked = False
        self._build_id = site.build_id
        fields = ((field.name, getattr(site, field.name)) for field in dataclasses.fields(site))
        vars(self).update({name: value for name, value in fields if name != "build_id"})

    @property
    def build_id(self) -> str:
        """As `SiteFrame.build_id`."""
        self.asked = True
        return self._build_id


class Parts:
    """Which parts of a site are kept from the previous one; without an output, none."""

    def __init__(self, out: Output | None, digest: str, site: WatchedSite, build_id: str) -> None:
        """`digest` is the ground's, `site` what the templates of all parts get, `build_id` the dataset's."""
        self._out = out
        self._digest = digest
        self._site = site
        self._build_id = build_id

    def keep(self, name: str, inputs: bytes, paths: Sequence[str]) -> bool:
        """Whether the part `name`, the files `paths`, is kept; `inputs` is what it sees beyond the ground."""
        keys = [self._key(name, inputs, build) for build in ("", self._build_id)]
        return self._out is not None and self._out.keep(name, keys, paths)

    def made(self, name: str, inputs: bytes) -> None:
        """Write down that the part `name` has been written, and what it was made from."""
        # Once asked for, the build may lie in what pages share, so it counts from then on.
        build = self._build_id if self._site.asked else ""
        if self._out is not None:
            self._out.record(name, self._key(name, inputs, build))

    def _key(self, name: str, inputs: bytes, build: str) -> str:
        facts = json.dumps([self._digest, name, build]).encode()
        return hashlib.sha256(facts + b"\0" + inputs).hexdigest()
