"""The exported model of a dataset: its files, its tokenizer, and onnxruntime sessions of its graphs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, cast

from atlas.errors import InputError, suggest
from atlas.store.model_graphs import open_session

if TYPE_CHECKING:
    from atlas.store import AtlasStore
    from atlas.store.browser_model import ModelPayload, SaeModelPayload

Need = Literal["activations", "steer"]
"""A graph of an SAE: tokens to activations, or tokens and steering to the next token's logits."""

LIBRARIES = ("onnxruntime", "tokenizers")
"""What running the model takes: the extra `run`."""


class Runtime:
    """The exported model of one dataset. Nothing is loaded before it is asked for; sessions are kept.

    Sessions run on one thread, so that equal inputs give equal bits.
    """

    def __init__(self, store: AtlasStore) -> None:
        """`InputError` when the dataset has no exported model, or a library of `LIBRARIES` is missing."""
        self.facts = cast("ModelPayload", store.manifest.browser_model)
        self.where = str(store.path)
        self._store = store
        self._sessions: dict[tuple[str, Need], Any] = {}
        if not self.facts:
            raise InputError(
                "the dataset holds no model to run",
                where=self.where,
                fix="set `browser_model: true` in the config and run `atlas build` again",
            )
        self._onnxruntime, self._tokenizers = (_library(name) for name in LIBRARIES)

    def sae(self, slug: str) -> SaeModelPayload:
        """What the manifest says of the graphs of SAE `slug`; `InputError` when it was not exported."""
        known = {entry["slug"]: entry for entry in self.facts["saes"]}
        if slug not in known:
            raise InputError(f"SAE {slug!r} was not exported", where=self.where, fix=suggest(slug, known))
        return known[slug]

    def files(self, names: Sequence[str]) -> dict[str, bytes]:
        """Name → bytes of exported files, from the table `model_files`; `InputError` for one it lacks."""
        table = self._store.read("model_files")
        parts: dict[str, list[tuple[int, int]]] = {}
        columns = (table["name"].to_pylist(), table["part"].to_pylist())
        for row, (name, part) in enumerate(zip(*columns, strict=True)):
            parts.setdefault(name, []).append((part, row))
        missing = [name for name in names if name not in parts]
        if missing:
            raise InputError(
                f"the exported model lacks its file {missing[0]!r}", where=self.where, fix="build again"
            )
        data = table["data"]
        return {name: b"".join(data[row].as_py() for _, row in sorted(parts[name])) for name in names}

    @cached_property
    def tokenizer(self) -> Any:
        """The model's fast tokenizer.

        `InputError` when the installed tokenizers gives other ids than the build stored: activations would
        belong to another text.
        """
        files = self.files(["tokenizer.json", "checks.json"])
        tokenizer = self._tokenizers.Tokenizer.from_str(files["tokenizer.json"].decode("utf-8"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        for text, token_ids in json.loads(files["checks.json"])["tokenizer"]:
            if tokenizer.encode(text, add_special_tokens=False).ids != token_ids:
                raise InputError(
                    f"tokenizers {self._tokenizers.__version__} cuts {text[:40]!r} into other tokens than the"
                    " build did",
                    where=self.where,
                    fix="install another version of tokenizers, or build again with this one",
                )
        return tokenizer

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`; nothing is added in front or behind."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def session(self, slug: str, need: Need) -> Any:
        """The onnxruntime session of one graph of SAE `slug`, made when it is first asked for.

        `InputError` when the installed onnxruntime cannot load it.
        """
        key = (slug, need)
        if key not in self._sessions:
            self._sessions[key] = self._open(self.sae(slug), need)
        return self._sessions[key]

    def _open(self, entry: SaeModelPayload, need: Need) -> Any:
        graph = entry[need]
        weights = entry["activation_files" if need == "activations" else "steer_files"]
        files = self.files([graph, *weights])
        try:
            return open_session(self._onnxruntime, files.pop(graph), files)
        except Exception as error:  # onnxruntime has one class of its own for each status code
            raise InputError(
                f"onnxruntime {self._onnxruntime.__version__} cannot load {graph!r}: {str(error)[:200]}",
                where=self.where,
                fix="upgrade onnxruntime",
            ) from error


def _library(name: str) -> Any:
    """The library `name`, imported now; `InputError` where it is not installed."""
    try:
        return import_module(name)
    except ImportError as error:
        raise InputError(
            f"running the model needs {name}, which cannot be imported ({error})",
            where="this Python environment",
            fix='pip install "feature-atlas[run]"',
        ) from error
