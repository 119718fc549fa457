"""The model for browsers as a stage of a build: exported, gated, kept in the dataset; or a folder of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from atlas.errors import InputError
from atlas.schema import DIRECTIONS, MODEL_FILES, MODEL_TABLES
from atlas.store.browser_model import parts_of
from atlas.store.files import make_folder, write_atomic

if TYPE_CHECKING:
    from atlas.export.onnx.bundle import Bundle
    from atlas.pipeline.job import Job
    from atlas.sources.saes.base import SparseCoder
    from atlas.store import AtlasStore

ROWS = 1024
"""Directions written at once."""


def refuse_early(job: Job) -> None:
    """`InputError` where a library that an export needs is missing; said before anything is opened."""
    from atlas.export.onnx.refuse import refuse_missing_libraries

    if job.config.browser_model:
        refuse_missing_libraries()


def refuse_unexportable(job: Job) -> None:
    """`InputError` for a model or an SAE that has no graph; said before anything slow."""
    from atlas.export.onnx import refuse

    if job.config.browser_model:
        refuse.refuse_unexportable(job.engine, job.saes)


def has_model(job: Job) -> bool:
    """Whether the dataset holds a model for browsers, or the beginnings of one."""
    if not (job.data / "manifest.json").exists():
        return False
    manifest = job.store.manifest
    return bool(manifest.browser_model) or "browser_model" in manifest.stages


def bundle(job: Job) -> Bundle:
    """Export the job's model and SAEs, gated on the first text that its pass reads."""
    from atlas.export.onnx.bundle import Use, make_bundle
    from atlas.export.onnx.gate import sample_of
    from atlas.stream.batches import Mask
    from atlas.stream.plan import plan_pass

    plan = plan_pass(job.config, job.engine, job.saes)
    mask = Mask.of(job.config.stream.mask, job.engine.tokens.special_ids)
    return make_bundle(
        job.engine,
        job.saes,
        sample_of(job.first_contexts(), mask, masked=int(plan.prepend_bos)),
        Use(plan.context_size, plan.prepend_bos),
        precision=job.config.browser_precision,
        report=lambda step, done, total: job.progress.update(done, total, step),
    )


def write_model(job: Job) -> str:
    """Export the model into the dataset; returns what came of it, in words.

    The old model stays until the new one has passed its gate.
    """
    made = bundle(job)
    store = job.store
    job.record("browser_model", "")
    _write_files(store, made.contents)
    for sae in job.saes:
        _write_directions(store, sae)
    config = store.manifest.config | {
        name: getattr(job.config, name) for name in ("browser_model", "browser_precision")
    }
    store.update(browser_model=made.payload, config=config)
    job.record("browser_model", job.browser_digest)
    return told(made)


def told(made: Bundle) -> str:
    """What an export came to, in words."""
    figures = "; ".join(f"{slug}: {found.words()}" for slug, found in made.figures.items())
    return f"{made.size / 1e6:,.1f} MB in {made.payload['precision']}; {figures}"


def remove_model(job: Job) -> str:
    """Take the model out of the dataset; returns what was done, in words."""
    store = job.store
    config = store.manifest.config | {"browser_model": False}
    stages = {name: done for name, done in store.manifest.stages.items() if name != "browser_model"}
    store.update(browser_model={}, config=config, stages=stages)
    for name in MODEL_TABLES:
        for slug in (None, *(entry.slug for entry in store.manifest.saes)):
            store.drop(name, slug)
    return "taken out"


def export_folder(job: Job, folder: Path) -> Bundle:
    """Write the files of the job's model to `folder`, with `manifest.json`, which is its `ModelPayload`.

    `InputError` where the folder holds something else already, or the model is refused.
    """
    import json

    _refuse_occupied(folder)
    job.progress.begin("Exporting the model", "steps")
    made = bundle(job)
    make_folder(folder)
    for name, content in made.contents.items():
        write_atomic(folder / name, content)
    text = json.dumps(made.payload, indent=1, sort_keys=True, allow_nan=False) + "\n"
    write_atomic(folder / "manifest.json", text.encode("utf-8"))
    job.progress.end(f"{made.size / 1e6:,.1f} MB in {made.payload['precision']}")
    return made


def _refuse_occupied(folder: Path) -> None:
    """`InputError` unless `folder` is missing, empty or an earlier export."""
    if not folder.exists():
        return
    strangers = {"not a folder"} if not folder.is_dir() else {each.name for each in folder.iterdir()}
    if strangers and not {"manifest.json", "checks.json"} <= strangers:
        raise InputError(
            f"the folder is not empty (it holds {min(strangers)!r})",
            where=str(folder),
            fix="choose a new or empty folder: --output FOLDER",
        )


def _write_files(store: AtlasStore, contents: Mapping[str, bytes]) -> None:
    with store.writer("model_files", schema=MODEL_FILES) as writer:
        for name, content in contents.items():
            parts = list(parts_of(content))
            rows = {"name": [name] * len(parts), "part": list(range(len(parts))), "data": parts}
            writer.write(pa.table(rows, schema=MODEL_FILES))


def _write_directions(store: AtlasStore, sae: SparseCoder) -> None:
    directions = sae.weights().W_dec.cpu().numpy().astype(np.float32)
    with store.writer("directions", sae=sae.facts.slug, schema=DIRECTIONS) as writer:
        for table in _direction_tables(directions):
            writer.write(table)


def _direction_tables(directions: np.ndarray[Any, np.dtype[np.float32]]) -> Iterator[pa.Table]:
    count, width = directions.shape
    for start in range(0, count, ROWS):
        rows = directions[start : start + ROWS]
        bounds = np.arange(0, rows.size + 1, width, dtype=np.int32)
        lists = pa.ListArray.from_arrays(pa.array(bounds), pa.array(rows.ravel()))
        numbers = np.arange(start, start + len(rows), dtype=np.int32)
        yield pa.table({"feature_idx": pa.array(numbers), "direction": lists}, schema=DIRECTIONS)
