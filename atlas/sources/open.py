"""The three doors: a model, an SAE and a corpus, each found by name among the installed extensions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas import plugins

if TYPE_CHECKING:
    import torch

    from atlas.config import CorpusConfig, ModelConfig, SaeConfig
    from atlas.sources.corpora.base import Corpus
    from atlas.sources.engines.base import Engine
    from atlas.sources.saes.base import SparseCoder


def open_engine(config: ModelConfig, base: Path) -> Engine:
    """Load the model with the engine `config.engine`.

    A `name` that is a folder below `base` (the config file's folder) is that folder; the facts keep the
    name as configured. `InputError` for an unknown engine or a model that cannot be used.
    """
    engine_class = plugins.load("atlas.engines", config.engine, where="model.engine")
    engine: Engine = engine_class.open(config.model_copy(update={"name": _resolved(config.name, base)}))
    engine.facts = replace(engine.facts, name=config.name)
    return engine


def open_sae(
    config: SaeConfig, base: Path, device: torch.device | str, engine: Engine | None = None
) -> SparseCoder:
    """Load an SAE with the reader `config.format`; a relative `folder` is below `base`.

    With `engine`, the SAE is also checked against the model: hook and width (`InputError`).
    """
    from atlas.sources.preflight import check_pair, fit_to_model

    reader = plugins.load("atlas.saes", config.format, where="saes: format")
    if config.folder is None:
        sae: SparseCoder = reader(config, device)
    else:
        sae = reader(config.model_copy(update={"folder": _resolved(config.folder, base)}), device)
        sae.facts = replace(sae.facts, source=sae.facts.source | {"folder": config.folder})
    if engine is None:
        return sae
    check_pair(engine, sae)
    return fit_to_model(engine, sae)


def open_corpus(config: CorpusConfig, base: Path) -> Corpus:
    """Open the corpus of kind `config.kind`; relative paths are below `base`."""
    opener: Any = plugins.load("atlas.corpora", config.kind, where="corpus.kind")
    return opener(config, base)


def _resolved(name: str, base: Path) -> str:
    """`name` as an absolute folder if it is one below `base` or meant as a path, else unchanged."""
    path = base / Path(name).expanduser()
    meant = name.startswith((".", "/", "~"))
    return str(path.resolve()) if path.is_dir() or meant else name
