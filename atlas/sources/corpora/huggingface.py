"""Hugging Face data sets: by name from the Hub, or a local folder, streamed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas.errors import AtlasError, InputError, suggest
from atlas.sources.corpora import files
from atlas.sources.corpora.order import shuffled
from atlas.sources.corpora.rows import RowRule

if TYPE_CHECKING:
    from atlas.config import CorpusConfig
    from atlas.sources.corpora.base import Document

_SAVED = "state.json"
_SAVED_SPLITS = "dataset_dict.json"


class HuggingFaceCorpus:
    """One document a row of one split, streamed: nothing is downloaded beyond what is read.

    A folder is either what `save_to_disk` wrote or data files that `datasets` can load. A text column
    of lists of integers (`input_ids`) is a corpus that is already tokenised. Data set scripts, which
    are code, are never run.
    """

    def __init__(self, config: CorpusConfig, base: Path) -> None:
        name = config.name or ""
        folder = base / Path(name).expanduser()
        self._config = config
        self._folder = folder if folder.is_dir() else None
        self._rule = RowRule.of(config)
        self._title = folder.resolve().name if self._folder else name
        self._rows = self._open()
        features = getattr(self._rows, "features", None)
        if features is not None:
            self._rule.check_columns(features, where=self._title)
        pinned = f", revision {config.revision}" if config.revision else ""
        subset = f", subset {config.subset}" if config.subset else ""
        self.description = f"The data set {self._title}{subset}, split {config.split}{pinned}."

    def _open(self) -> Any:
        """The rows of the split; whatever `datasets` raises becomes an `InputError`."""
        try:
            rows = self._saved_split() if self._folder and _is_saved(self._folder) else self._streamed()
        except AtlasError:
            raise
        except Exception as error:  # datasets raises a dozen kinds, OSError and ValueError among them
            raise InputError(
                f"the data set {self._title!r} cannot be opened: {_first_line(error)}",
                where="corpus.name",
                fix="check name, subset and split; without a network only local folders can be read",
            ) from error
        if self._config.shuffle and not hasattr(rows, "__len__"):
            raise InputError(
                "a streamed data set has no known length, so its documents cannot be shuffled",
                where="corpus.shuffle",
                fix="set shuffle: false, or save the part you want with datasets' save_to_disk",
            )
        return rows

    def _saved_split(self) -> Any:
        from datasets import DatasetDict, load_from_disk

        saved = load_from_disk(str(self._folder))
        if not isinstance(saved, DatasetDict):
            return saved
        if self._config.split not in saved:
            raise InputError(
                f"{self._title!r} has no split {self._config.split!r}",
                where="corpus.split",
                fix=suggest(self._config.split, map(str, saved)),
            )
        return saved[self._config.split]

    def _streamed(self) -> Any:
        from datasets import load_dataset

        config = self._config
        path = str(self._folder or config.name)
        revision = None if self._folder else config.revision
        return load_dataset(path, config.subset, split=config.split, revision=revision, streaming=True)

    def documents(self) -> Iterator[Document]:
        """Documents in the data set's order, or shuffled; without a name column called `dataset:row`,
        their source without a source column is the subset or the data set.
        """
        for number, row in self._numbered():
            name = f"{self._title}:{number}"
            document = self._rule.document(
                row,
                name=name,
                source=self._config.subset or self._title,
                where=f"{self._title}, row {number}",
            )
            if document is not None:
                yield document

    def _numbered(self) -> Iterator[tuple[int, Any]]:
        try:
            if self._config.shuffle:
                for idx in shuffled(len(self._rows), self._config.seed):
                    yield int(idx) + 1, self._rows[int(idx)]
            else:
                yield from enumerate(self._rows, 1)
        except AtlasError:
            raise
        except Exception as error:  # a broken file, a lost connection: as many kinds as formats
            raise InputError(
                f"reading the data set {self._title!r} failed: {_first_line(error)}",
                where="corpus.name",
                fix="check the files, or try again when the network is back",
            ) from error

    def fingerprint(self) -> str:
        """Over the folder's files; for a Hub data set over name, subset, split and commit."""
        if self._folder:
            inside = sorted(p for p in self._folder.rglob("*") if p.is_file())
            relative = ((path, path.relative_to(self._folder)) for path in inside)
            named = [files.SourceFile(p, r.as_posix()) for p, r in relative if r.parts[0] != ".cache"]
            return files.fingerprint(named)
        config = self._config
        identity = [config.name, config.subset, config.split, _commit(config.name or "", config.revision)]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def _is_saved(folder: Path) -> bool:
    return (folder / _SAVED).is_file() or (folder / _SAVED_SPLITS).is_file()


def _commit(name: str, revision: str | None) -> str:
    """The Hub commit that `revision` stands for now; `revision` itself where the Hub cannot be asked."""
    from huggingface_hub import HfApi

    try:
        return HfApi().dataset_info(name, revision=revision).sha or str(revision)
    except Exception:  # noqa: BLE001  # offline, private, moved: the name must do
        return str(revision)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def open_huggingface(config: CorpusConfig, base: Path) -> HuggingFaceCorpus:
    """The data set `config.name`: a folder (relative to `base`) if there is one, else a Hub name."""
    if not config.name:
        raise InputError(
            "corpus kind 'huggingface' needs the name of a data set",
            where="corpus.name",
            fix="e.g. name: roneneldan/TinyStories, or a folder",
        )
    return HuggingFaceCorpus(config, base)
