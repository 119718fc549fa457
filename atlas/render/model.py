"""The model for browsers as data files: its graphs and weights in parts, the runtime, and the directions.

Every shard but the index is bytes: `model/files/<file>/<n>` are the parts of a file as the dataset has them,
`model/runtime/<n>` those of the theme's `dist/ort.wasm`, `model/webgpu/runtime/<n>` and
`model/webgpu/worker/<n>` those of what computes on a graphics processor, where the config wants it, and
`<slug>/directions/<n>` little-endian rows [d_out] of the features of feature shard n. `model/index`
(`ModelPayload`) names them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from atlas.errors import InputError
from atlas.render.shards import encode_shard, shard_path
from atlas.stats.lists import flat_numbers
from atlas.store.browser_model import file_entry, parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atlas.render.themes import Theme
    from atlas.store import AtlasStore
    from atlas.store.browser_model import ModelFilePayload, ModelPayload, SaeModelPayload

RUNTIME = "ort.wasm"
"""The theme's runtime: onnxruntime for WebAssembly."""

WEBGPU = {"ort.webgpu.wasm": "model/webgpu/runtime", "worker.webgpu": "model/webgpu/worker"}
"""The theme's runtime for graphics processors, and the source of the worker that runs it → its shards."""

WEIGHT_RATIO, RUNTIME_RATIO = 1.09, 0.3
"""Bytes of data files for one byte of weights or directions, and of the runtimes (measured; the weights
of the demo, which deflate well, have 0.77)."""


class ModelFiles:
    """What a site has of its dataset's model; nothing where the dataset has none."""

    def __init__(
        self, store: AtlasStore, theme: Theme | None, features_per_shard: int, *, webgpu: bool = False
    ) -> None:
        """Without `theme` the runtimes are left out; `webgpu` adds the one for graphics processors.

        `InputError` where the dataset has a model and the theme's runtime is not built.
        """
        self._store = store
        self._step = features_per_shard
        self._payload = cast("ModelPayload | None", store.manifest.browser_model or None)
        self._runtimes: list[tuple[ModelFilePayload, bytes]] = []
        if self._payload is not None and theme is not None:
            keys = {RUNTIME: "model/runtime"} | (WEBGPU if webgpu else {})
            self._runtimes = [_runtime(theme, name, key) for name, key in keys.items()]

    def paths(self) -> list[str]:
        """Paths of all files."""
        if self._payload is None:
            return []
        entries = [*self._payload["files"], *(entry for entry, _ in self._runtimes)]
        keys = [f"{entry['key']}/{part}" for entry in entries for part in range(entry["parts"])]
        for sae in self._payload["saes"]:
            keys += [f"{sae['slug']}/directions/{number}" for number in range(-(-sae["d_sae"] // self._step))]
        return [shard_path(key) for key in (*keys, "model/index")]

    def bytes(self) -> int:
        """About how many bytes they have."""
        if self._payload is None:
            return 0
        width = np.dtype(self._payload["directions"]).itemsize
        rows = sum(sae["d_sae"] * sae["d_out"] * width for sae in self._payload["saes"])
        weights = sum(file["bytes"] for file in self._payload["files"]) + rows
        runtimes = sum(entry["bytes"] for entry, _ in self._runtimes)
        return round(WEIGHT_RATIO * weights + RUNTIME_RATIO * runtimes)

    def files(self) -> Iterator[tuple[str, bytes]]:
        """(path, content) of every file; the index comes last, since it says what the others weigh."""
        if self._payload is None:
            return
        transfer: dict[str, int] = {}
        for name, key, content in self._parts(self._payload):
            data = encode_shard(key, content)
            transfer[name] = transfer.get(name, 0) + len(data)
            yield shard_path(key), data
        for sae in self._payload["saes"]:
            yield from self._directions(sae, self._payload["directions"])
        listed = [*self._payload["files"], *(entry for entry, _ in self._runtimes)]
        files = [{**file, "transfer": transfer.get(file["name"], 0)} for file in listed]
        yield shard_path("model/index"), encode_shard("model/index", {**self._payload, "files": files})

    def _parts(self, payload: ModelPayload) -> Iterator[tuple[str, str, bytes]]:
        """(file, key, content) of every part of every file."""
        table = self._store.read("model_files")
        keys = {file["name"]: file["key"] for file in payload["files"]}
        names, parts = table["name"].to_pylist(), table["part"].to_pylist()
        for row, (name, part) in enumerate(zip(names, parts, strict=True)):
            content: Any = table["data"][row].as_buffer()
            yield name, f"{keys[name]}/{part}", content.to_pybytes()
        for entry, runtime in self._runtimes:
            for part, content in enumerate(parts_of(runtime)):
                yield entry["name"], f"{entry['key']}/{part}", content

    def _directions(self, sae: SaeModelPayload, dtype: str) -> Iterator[tuple[str, bytes]]:
        slug, stored = sae["slug"], np.dtype(dtype).newbyteorder("<")
        for start, _, table in self._store.iter_features("directions", slug, self._step, ["direction"]):
            key = f"{slug}/directions/{start // self._step}"
            values = flat_numbers(table["direction"])[1]
            yield shard_path(key), encode_shard(key, values.astype(stored).tobytes())


def _runtime(theme: Theme, name: str, key: str) -> tuple[ModelFilePayload, bytes]:
    """What the index says of the runtime file `name`, and its bytes: of the nearest theme that has one."""
    path = theme.find(f"dist/{name}")
    if path is None:
        raise InputError(
            f"the dataset holds a model for browsers, but the theme has no runtime ({name}) for it",
            where=str(theme.chain[-1].folder / "dist"),
            fix="run `make` in a checkout (it puts the runtime there), or install the released package",
        )
    content = path.read_bytes()
    return file_entry(name, key, content), content
