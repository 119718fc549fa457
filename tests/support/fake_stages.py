"""Stand-ins for everything that needs a model: the stages of a build, writing a synthetic dataset.

They let the pipeline and the command line be tested in milliseconds, with the real store and the real
checks around them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from atlas.store import AtlasStore
from tests.support.synthetic import make_atlas
from tests.support.tiny_site import site_files

STREAM = ("documents", "vocabulary", "contexts", "features", "examples", "report")
CONFIG = """\
title: Test atlas
model:
  name: model
saes:
  - slug: alpha
    folder: sae-a
  - slug: beta
    folder: sae-b
corpus:
  kind: text
  paths: [texts]
  tokens: 1000
enrich:
  neighbours: 10
render:
  static_examples: 5
output:
  data: out/data
  site: out/site
"""


@dataclass
class FakeStages:
    """What was called, and what shall go wrong."""

    source: AtlasStore
    """The synthetic dataset that the fakes copy from."""
    calls: list[str] = field(default_factory=list)
    """Every call, in order: 'engine', 'sae', 'preflight', 'stream', 'enrich', 'index', 'render'."""
    failures: dict[str, BaseException] = field(default_factory=dict)
    """Name of a call → what it raises instead of working."""
    notes: list[str] = field(default_factory=list)
    """What preflight has to say."""
    stream_notes: list[str] = field(default_factory=list)
    """What the pass has to say."""
    forced: bool = False
    """Whether preflight was last asked to let doubts pass."""
    keeper: Any = None
    """What the pass was last given to keep its work with."""

    def called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failures:
            raise self.failures[name]

    def open_engine(self, config: Any, base: Path) -> Any:
        del config, base
        self.called("engine")
        facts = SimpleNamespace(
            name="fake", architecture="gpt2", n_layers=2, device="cpu", vocabulary_size=300, d_model=16,
            weights_sha256="1" * 64, tokenizer_sha256="2" * 64,
        )  # fmt: skip
        return SimpleNamespace(facts=facts, device=SimpleNamespace(type="cpu"))

    def open_sae(self, config: Any, base: Path, device: Any, engine: Any = None) -> Any:
        del base, device, engine
        self.called("sae")
        n_features = self.source.manifest.saes[0].n_features
        facts = SimpleNamespace(
            slug=config.slug, d_in=16, d_sae=n_features, weights_sha256="3" * 64, folds={}
        )
        return SimpleNamespace(facts=facts)

    def open_corpus(self, config: Any, base: Path) -> Any:
        text = "".join(path.read_text() for path in sorted((base / config.paths[0]).glob("*.txt")))
        return SimpleNamespace(fingerprint=lambda: text, description="fake")

    def preflight(self, engine: Any, saes: Any, contexts: Any, *, force: bool = False) -> list[str]:
        del engine, saes, contexts
        self.forced = force
        self.called("preflight")
        return self.notes

    def stream(self, store: AtlasStore, *inputs: Any, keeper: Any = None) -> None:
        _, _, saes, _, progress = inputs
        self.keeper = keeper
        keeper.checkpoint.notes.extend(self.stream_notes)
        progress(500, 1000)
        self.called("stream")
        manifest = self.source.manifest
        entries = [
            manifest.saes[number % 2].model_copy(update={"slug": sae.facts.slug})
            for number, sae in enumerate(saes)
        ]
        store.update(model=manifest.model, corpus=manifest.corpus, stream=manifest.stream, saes=entries)
        self.copy(store, STREAM)
        progress(1000, 1000)

    def enrich(self, store: AtlasStore, *inputs: Any, base: Path) -> None:
        progress = inputs[-1]
        assert base.is_absolute()
        progress("logit effects", 0, 2)
        self.called("enrich")
        store.update(enrichers=self.source.manifest.enrichers)
        tables = ("logits", "weights", "effects", "neighbours", "coords", "clusters", "explanations")
        self.copy(store, tables)

    def index(self, store: AtlasStore) -> None:
        self.called("index")
        schema = self.source.schema("postings")
        rows = self.source.read("postings").to_pylist()
        for row in rows:
            kept = [place for place, sae in enumerate(row["sae"]) if sae < len(store.manifest.saes)]
            row.update(
                {name: [row[name][place] for place in kept] for name in ("sae", "feature_idx", "weight")}
            )
        with store.writer("postings", schema=schema) as writer:
            writer.write(pa.Table.from_pylist(rows, schema=schema))

    def vectors(self, store: AtlasStore) -> None:
        rows = self.source.read("vectors")
        known = sum(entry.n_features for entry in store.manifest.saes)
        with store.writer("vectors", schema=rows.schema) as writer:
            writer.write(rows.filter(pc.less(rows["number"], known)))

    def render(self, *inputs: Any, base: Path) -> Any:
        store, config, out, progress = inputs
        assert isinstance(base, Path)
        sizes = {entry.slug: entry.n_features for entry in store.manifest.saes}
        note = f"{store.manifest.title}|{config.static_examples}|{[e.title for e in store.manifest.saes]}"
        files = dict(site_files(sizes, build=store.manifest.build_id, note=note))
        progress(0, len(files))
        self.called("render")
        for name, data in files.items():
            out.write(name, data)
        progress(len(files), len(files))
        return SimpleNamespace(pages=len(files), files=len(files), bytes=out.total_bytes)

    def copy(self, store: AtlasStore, tables: tuple[str, ...]) -> None:
        """Copy `tables` from the source, each SAE's from the source's SAE of the same place."""
        keys = [(name, None, None) for name in tables if self.source.has(name)]
        for number, entry in enumerate(store.manifest.saes):
            origin = self.source.manifest.saes[number % 2].slug
            keys += [(name, entry.slug, origin) for name in tables if self.source.has(name, origin)]
        for name, slug, origin in keys:
            with store.writer(name, sae=slug, schema=self.source.schema(name, origin)) as writer:
                writer.write(self.source.read(name, origin))

    def install(self, patch: pytest.MonkeyPatch, *, pages: bool = True) -> None:
        """Put the fakes where the pipeline imports its workers from; with `pages` the renderer's too."""
        if pages:
            patch.setattr("atlas.render.site.render_site", self.render)
            patch.setattr("atlas.render.themes.require_scripts", lambda *_: None)
        modules = {
            "atlas.sources.open": {
                "open_engine": self.open_engine,
                "open_sae": self.open_sae,
                "open_corpus": self.open_corpus,
            },
            "atlas.sources.preflight": {"preflight": self.preflight},
            "atlas.stream.run": {"stream_activations": self.stream},
            "atlas.enrich.run": {"enrich_all": self.enrich},
            "atlas.index.search": {"build_postings": self.index},
            "atlas.index.vectors": {"build_vectors": self.vectors},
        }
        for name, content in modules.items():
            module = ModuleType(name)
            module.__dict__.update(content)
            patch.setitem(sys.modules, name, module)
        patch.setattr("atlas.pipeline.job.Job.first_contexts", lambda _: iter(()))


def make_project(folder: Path, config: str = CONFIG) -> Path:
    """A folder with a config, and a model, SAEs and texts that look like some; returns the config's path."""
    for name in ("model", "sae-a", "sae-b", "texts"):
        (folder / name).mkdir(parents=True)
    (folder / "model" / "config.json").write_text("{}")
    for name in ("sae-a", "sae-b"):
        (folder / name / "cfg.json").write_text("{}")
        (folder / name / "sae_weights.safetensors").write_bytes(b"weights")
    (folder / "texts" / "one.txt").write_text("one text")
    path = folder / "site_config.yaml"
    path.write_text(config)
    return path


def make_source(folder: Path) -> AtlasStore:
    """The dataset that the fakes copy from."""
    return make_atlas(folder, n_features=8, saes=("alpha", "beta"))
