"""`atlas.open`: a dataset for reading in Python, with readable cards in notebooks and terminals."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

from atlas.errors import InputError, suggest
from atlas.reader import cards
from atlas.reader.model import LocalModel
from atlas.reader.spelling import Spelling
from atlas.reader.steering import Mode, Sampling
from atlas.schema import ColumnInfo, column_info
from atlas.store.dataset import AtlasStore
from atlas.store.tables import is_by_feature

if TYPE_CHECKING:
    import pyarrow as pa

    from atlas.reader.results import Continuation, TextActivations
    from atlas.store.manifest import SaeEntry

PAGE_FOLDER_SIZE = 1000
"""Features per folder of the site."""


def open_atlas(path: Path | str) -> Atlas:
    """The dataset in folder `path` (build/data by default of `atlas build`), for reading.

    `InputError` when there is none, when it is damaged, or when a newer atlas wrote it.
    """
    return Atlas(AtlasStore.open(path))


@dataclass(frozen=True)
class Token:
    """One token with its exact text."""

    token_id: int
    """Number of the token."""
    text: str
    """Its text; bytes that are no whole character stand as `<0xE6>`; special tokens by their name."""
    value: float
    """What the list it stands in says of it: a logit effect or a mean activation."""
    count: int
    """Number of occurrences; 0 where the list does not count."""


@dataclass(frozen=True)
class Example:
    """One window of the corpus, as text."""

    group: str
    """'top', 'interval', 'random', or 'same_token', 'near_miss' where the feature is silent (see
    `atlas.schema.EXAMPLES`)."""
    interval: int
    """Number of the interval of strength; -1 outside 'interval'."""
    rank: int
    """Order within its group and interval, from 0."""
    activation: float
    """Activation at the example's own token."""
    document: str
    """Name of the document (untrusted text)."""
    context_idx: int
    """Packed sequence the window was cut from."""
    position: int
    """Position of the example's own token in that sequence."""
    copies: int
    """Packed sequences of the corpus that hold its text, this one included."""
    pieces: tuple[tuple[str, float], ...]
    """(exact text, largest activation of its tokens) of consecutive whole characters."""
    peak: int
    """Index in `pieces` of the example's own token."""

    @property
    def text(self) -> str:
        """The whole window, exact."""
        return "".join(text for text, _ in self.pieces)

    def __repr__(self) -> str:
        return cards.example_line(self)


@dataclass(frozen=True, repr=False)
class Feature:
    """All that the dataset knows of one feature. `feature["max_activation"]` gives a column."""

    feature_idx: int
    """Number of the feature in its SAE."""
    sae: SaeEntry
    """The SAE it belongs to."""
    rows: Mapping[str, list[dict[str, Any]]]
    """Table → its rows of this feature (examples left out), columns by name."""
    columns: Mapping[str, ColumnInfo]
    """Meaning of the columns of the table features."""
    examples: tuple[Example, ...]
    """Windows of the corpus in which it fires, and counter-examples."""
    tokens: Mapping[str, tuple[Token, ...]] = field(default_factory=dict[str, tuple[Token, ...]])
    """Column that lists tokens (top_tokens, positive_logits, …) → the tokens as text."""

    @property
    def explanation(self) -> str:
        """The explanation in words; '' when there is none."""
        rows = self.rows.get("explanations", [])
        return str(rows[0]["text"] or "") if rows else ""

    @property
    def page(self) -> str:
        """Path of its page in the site."""
        return f"{self.sae.slug}/{self.feature_idx // PAGE_FOLDER_SIZE}/{self.feature_idx}.html"

    def __getitem__(self, column: str) -> Any:
        """Value of a column of any table with one row for this feature, `features` first."""
        for table in ("features", *self.rows):
            rows = self.rows.get(table, [])
            if len(rows) == 1 and column in rows[0]:
                return rows[0][column]
        known = {name for rows in self.rows.values() for row in rows for name in row}
        raise KeyError(f"no column {column!r}; {suggest(column, known)}")

    def __repr__(self) -> str:
        return cards.feature_text(self)

    def _repr_html_(self) -> str:
        return cards.feature_html(self)


class Atlas:
    """A dataset for reading. Nothing is loaded before it is asked for; every file read is verified."""

    def __init__(self, store: AtlasStore) -> None:
        self.store = store

    @property
    def title(self) -> str:
        """Name of the atlas (untrusted text)."""
        return self.store.manifest.title

    @property
    def build_id(self) -> str:
        """12 hex digits that name exactly this dataset."""
        return self.store.manifest.build_id

    @property
    def saes(self) -> tuple[SaeEntry, ...]:
        """The SAEs with their facts."""
        return tuple(self.store.manifest.saes)

    @property
    def tables(self) -> list[str]:
        """Keys of all tables: 'documents', or '<slug>/features' for a table of one SAE."""
        return sorted(self.store.manifest.tables)

    def table(self, name: str, sae: str | None = None, columns: Sequence[str] | None = None) -> pa.Table:
        """A table as Arrow (`.to_pandas()` where pandas is installed).

        `sae` may be left out for tables of the whole atlas and where there is only one SAE.
        `InputError` for an unknown table, SAE or column, and for a damaged file.
        """
        shared = sae is None and self.store.has(name)
        return self.store.read(name, None if shared else self._sae(sae, name).slug, columns)

    def feature(self, feature_idx: SupportsIndex, sae: str | None = None) -> Feature:
        """One feature with all its columns and its examples as text; `InputError` if there is none."""
        entry = self._sae(sae, "features")
        number = operator.index(feature_idx)
        if not 0 <= number < entry.n_features:
            raise InputError(
                f"there is no feature {number} in SAE {entry.slug!r}",
                where=str(self.store.path),
                fix=f"features are numbered 0 to {entry.n_features - 1}",
            )
        rows: dict[str, list[dict[str, Any]]] = {}
        tokens: dict[str, tuple[Token, ...]] = {}
        for name in self._feature_tables(entry.slug):
            table = self.store.read_features(name, entry.slug, number, number + 1)
            rows[name] = table.to_pylist()
            if name != "examples":
                tokens.update(self._token_lists(table.schema, rows[name]))
        examples = tuple(self._example(row) for row in rows.pop("examples", []))
        infos = {column.name: column_info(column) for column in self.store.schema("features", entry.slug)}
        return Feature(number, entry, rows, infos, examples, tokens)

    def text(self, token_ids: Sequence[int]) -> str:
        """The exact text of consecutive tokens; special tokens by their name."""
        return self._spelling.text(token_ids)

    def activations(self, text: str, sae: str | None = None) -> TextActivations:
        """Activations of every feature of one SAE at every token of `text`, as the pages compute them.

        Needs the extra `run` and a dataset built with `browser_model: true`; no torch. A text longer than
        the SAE's context is cut into windows. `sae` may be left out where there is only one. `InputError`
        without a model or a library, for an unknown SAE, and for a text too long for memory.
        """
        return self._model.activations(self._model_sae(sae), text)

    def steer(
        self,
        text: str,
        strengths: Mapping[int, float],
        *,
        mode: Mode = "add",
        sae: str | None = None,
        n_tokens: int = 20,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Continuation:
        """`n_tokens` tokens after `text` while features are steered, as the pages make them.

        `strengths` gives each feature a strength in units of its largest activation in the corpus: added
        to what the feature does (`mode` 'add'), or what it is set to at every token ('clamp'); 'ablate'
        sets it to 0 whatever the strength. BOS is left alone, and what the SAE does not explain stays as it
        is. `{}` steers nothing. Temperature 0 takes the likeliest token; otherwise tokens are drawn from the
        softmax of logits / temperature by `seed`, 0 to 2^32 - 1.
        `InputError` as `activations`, and for features, strengths and lengths that cannot be.
        """
        sampling = Sampling(n_tokens, temperature, seed)
        return self._model.steer(self._model_sae(sae), text, strengths, mode, sampling)

    def __repr__(self) -> str:
        return cards.atlas_text(self)

    def _repr_html_(self) -> str:
        return cards.atlas_html(self)

    def _sae(self, slug: str | None, table: str) -> SaeEntry:
        """The SAE meant by `slug`, or the only one."""
        slugs = [entry.slug for entry in self.saes]
        if slug is None and len(slugs) == 1:
            return self.saes[0]
        entry = None if slug is None else self.store.manifest.sae(slug)
        if entry is not None:
            return entry
        where = str(self.store.path)
        if slug is not None:
            raise InputError(f"there is no SAE {slug!r}", where=where, fix=suggest(slug, slugs))
        valid = [*slugs[:5]] if any(f"{name}/{table}" in self.tables for name in slugs) else []
        if valid:
            raise InputError(
                f"the table {table!r} exists once per SAE", where=where,
                fix=" or ".join(f"sae={name!r}" for name in valid),
            )  # fmt: skip
        raise InputError(f"there is no table {table!r}", where=where, fix=suggest(table, self._table_names()))

    def _model_sae(self, slug: str | None) -> SaeEntry:
        """The SAE meant by `slug`, or the only one."""
        if slug is None and len(self.saes) > 1:
            names = [repr(entry.slug) for entry in self.saes]
            raise InputError(
                f"the atlas has {len(names)} SAEs",
                where=str(self.store.path),
                fix=f"sae={' or sae='.join(names[:5])}",
            )
        return self._sae(slug, "features")

    def _table_names(self) -> set[str]:
        return {key.rpartition("/")[2] for key in self.tables}

    def _feature_tables(self, slug: str) -> list[str]:
        """Names of the tables of one SAE whose rows belong to features."""
        names = [key.removeprefix(f"{slug}/") for key in self.tables if key.startswith(f"{slug}/")]
        return [name for name in names if is_by_feature(self.store.schema(name, slug))]

    def _token_lists(self, schema: pa.Schema, rows: list[dict[str, Any]]) -> dict[str, tuple[Token, ...]]:
        """The columns of kind 'token_list' of one feature's row, as text."""
        found: dict[str, tuple[Token, ...]] = {}
        for column in schema:
            if column_info(column).kind == "token_list" and len(rows) == 1:
                entries = rows[0][column.name] or []
                found[column.name] = tuple(
                    Token(item["token_id"], self.text([item["token_id"]]), item["value"], item["count"])
                    for item in entries
                )
        return found

    def _example(self, row: dict[str, Any]) -> Example:
        strengths: list[float] = row["activations"]
        pieces = self._spelling.pieces(row["token_ids"])
        peak = next(
            (number for number, piece in enumerate(pieces) if piece.start <= row["peak"] < piece.stop), 0
        )
        return Example(
            group=row["group"],
            interval=row["interval"],
            rank=row["rank"],
            activation=row["activation"],
            document=self._documents[row["document_idx"]],
            context_idx=row["context_idx"],
            position=row["position"],
            copies=row["copies"],
            pieces=tuple(
                (piece.text, max(strengths[piece.start : piece.stop], default=0.0)) for piece in pieces
            ),
            peak=peak,
        )

    @cached_property
    def _spelling(self) -> Spelling:
        return Spelling.of(self.store)

    @cached_property
    def _model(self) -> LocalModel:
        return LocalModel(self.store, self._spelling)

    @cached_property
    def _documents(self) -> dict[int, str]:
        table = self.store.read("documents", columns=["document_idx", "name"])
        return dict(zip(table["document_idx"].to_pylist(), table["name"].to_pylist(), strict=True))
