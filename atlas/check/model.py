"""Is the model for browsers whole: every file that the manifest names, byte by byte, and every direction?"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from atlas.check.relations import entries_of, lengths_of, numbers_of
from atlas.errors import AtlasError
from atlas.schema import MODEL_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atlas.store import AtlasStore
    from atlas.store.browser_model import ModelPayload, SaeModelPayload

STEP = 1024
"""Directions looked at in one go."""


def model_problems(store: AtlasStore) -> list[str]:
    """Problems of the dataset's model for browsers, one line each; none where it has no model.

    Never raises for damage: files that cannot be read are named by `verify_dataset`.
    """
    payload = store.manifest.browser_model
    if not payload:
        left = [key for key in store.manifest.tables if key.rpartition("/")[2] in MODEL_TABLES]
        return [f"{key}: the manifest knows of no model that it belongs to" for key in left]
    try:
        return list(_problems(store, cast("ModelPayload", payload)))
    except (KeyError, TypeError, ValueError) as error:
        return [f"manifest.json: browser_model is not what an export writes ({error!r:.80})"]
    except AtlasError:
        return []


def _problems(store: AtlasStore, payload: ModelPayload) -> Iterator[str]:
    named = {file["name"] for file in payload["files"]}
    if store.has("model_files"):
        yield from _file_problems(store, payload)
    described = {sae["slug"]: sae for sae in payload["saes"]}
    for entry in store.manifest.saes:
        sae = described.get(entry.slug)
        if sae is None:
            yield f"manifest.json: browser_model does not have SAE {entry.slug!r}"
            continue
        for name in (sae["activations"], sae["steer"], *sae["activation_files"], *sae["steer_files"]):
            if name not in named:
                yield f"manifest.json: browser_model has no file {name!r}, which {entry.slug!r} needs"
        if sae["d_sae"] != entry.n_features:
            yield f"manifest.json: browser_model has {sae['d_sae']:,} features of {entry.slug!r}"
        if store.has("directions", entry.slug):
            yield from _direction_problems(store, sae)


def _file_problems(store: AtlasStore, payload: ModelPayload) -> Iterator[str]:
    """Files that are not as the manifest says."""
    table = store.read("model_files")
    digests: dict[str, Any] = {}
    sizes: dict[str, int] = {}
    order: dict[str, list[int]] = {}
    for row, (name, part) in enumerate(
        zip(table["name"].to_pylist(), table["part"].to_pylist(), strict=True)
    ):
        data: bytes = table["data"][row].as_py()
        digests.setdefault(name, hashlib.sha256()).update(data)
        sizes[name] = sizes.get(name, 0) + len(data)
        order.setdefault(name, []).append(part)
    for file in payload["files"]:
        name = file["name"]
        if name not in order:
            yield f"model_files: the file {name!r} is missing"
        elif order[name] != list(range(file["parts"])):
            yield f"model_files: {name!r} has not its {file['parts']:,} parts in order"
        elif (sizes[name], digests[name].hexdigest()) != (file["bytes"], file["sha256"]):
            yield f"model_files: {name!r} is not the file that was compared with the model"
    for name in order.keys() - {file["name"] for file in payload["files"]}:
        yield f"model_files: the manifest does not name the file {name!r}"


def _direction_problems(store: AtlasStore, sae: SaeModelPayload) -> Iterator[str]:
    slug, width = sae["slug"], sae["d_out"]
    for start, _, table in store.iter_features("directions", slug, STEP, ["direction"]):
        if (lengths_of(table["direction"]) != width).any():
            yield f"{slug}/directions: not all of length {width:,} (from feature {start:,} on)"
        elif not np.isfinite(numbers_of(entries_of(table["direction"]))).all():
            yield f"{slug}/directions: not always finite numbers (from feature {start:,} on)"
