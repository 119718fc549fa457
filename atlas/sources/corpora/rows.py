"""From a row of a table to a document: the rule that JSONL, parquet and Hugging Face corpora share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atlas.errors import InputError, suggest
from atlas.sources.corpora.base import Document
from atlas.sources.corpora.files import without_surrogates

if TYPE_CHECKING:
    from atlas.config import CorpusConfig

TOKEN_COLUMNS = ("input_ids", "tokens", "token_ids")
"""Names under which tokenised data sets keep their tokens."""


@dataclass(frozen=True)
class RowRule:
    """Which column is the text, which the name, which the source."""

    text_column: str
    """Holds text, or a list of token ids (a corpus that is already tokenised)."""
    name_column: str | None
    """Names the document; None (or a null) for a name made of file and row."""
    source_column: str | None = None
    """Says what part of the corpus the document is from; None (or a null) for what the reader says."""

    @classmethod
    def of(cls, config: CorpusConfig) -> RowRule:
        """The rule that `config` asks for."""
        return cls(config.text_column, config.name_column, config.source_column)

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        named = (self.text_column, self.name_column, self.source_column)
        return list(dict.fromkeys(name for name in named if name is not None))

    def check_columns(self, columns: Iterable[str], *, where: str) -> None:
        """`InputError` naming the columns there are, if one of those wanted is not among them."""
        present = [str(name) for name in columns]
        wanted = {
            "text_column": self.text_column,
            "name_column": self.name_column,
            "source_column": self.source_column,
        }
        for option, name in wanted.items():
            if name is not None and name not in present:
                tokens = next((c for c in TOKEN_COLUMNS if c in present), None)
                hint = f" ({tokens!r} holds token ids: text_column: {tokens})" if tokens else ""
                raise InputError(
                    f"there is no column {name!r}; the columns are {', '.join(map(repr, present))}{hint}",
                    where=f"corpus.{option}; {where}",
                    fix=suggest(name, present),
                )

    def document(self, row: Mapping[str, Any], *, name: str, source: str, where: str) -> Document | None:
        """The document of `row`, or None where its text is null or empty.

        `name` and `source` are used where the row has none; `where` is for errors (file and line or row).
        """
        if any(column not in row for column in self.columns):
            self.check_columns(row, where=where)
        value = row[self.text_column]
        title = _given(row, self.name_column, name)
        source = _given(row, self.source_column, source)
        if value is None or (isinstance(value, str | list) and not value):
            return None
        if isinstance(value, str):
            return Document(title, without_surrogates(value), source=source)
        if isinstance(value, list) and all(type(item) is int for item in value):
            return Document(title, "", tuple(value), source)
        raise InputError(
            f"column {self.text_column!r} holds {_kind(value)}, not text or a list of token ids",
            where=where,
            fix="set corpus.text_column to the column with the text",
        )


def _given(row: Mapping[str, Any], column: str | None, otherwise: str) -> str:
    """What `row` holds in `column` as text, or `otherwise` where there is no column or a null in it."""
    value = None if column is None else row[column]
    return otherwise if value is None else without_surrogates(str(value))


def _kind(value: object) -> str:
    if isinstance(value, list):
        return f"a list with {type(next(i for i in value if type(i) is not int)).__name__} in it"
    return f"a {type(value).__name__}"
