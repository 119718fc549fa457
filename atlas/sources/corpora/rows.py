"""From a row of a table to a document: the rule that JSONL, parquet and Hugging Face corpora share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from atlas.errors import InputError, suggest
from atlas.sources.corpora.base import Document
from atlas.sources.corpora.files import without_surrogates

TOKEN_COLUMNS = ("input_ids", "tokens", "token_ids")
"""Names under which tokenised data sets keep their tokens."""


@dataclass(frozen=True)
class RowRule:
    """Which column is the text, which the name."""

    text_column: str
    """Holds text, or a list of token ids (a corpus that is already tokenised)."""
    name_column: str | None
    """Names the document; None (or a null) for a name made of file and row."""

    def check_columns(self, columns: Iterable[str], *, where: str) -> None:
        """`InputError` naming the columns there are, if one of the two is not among them."""
        present = [str(name) for name in columns]
        wanted = {"text_column": self.text_column, "name_column": self.name_column}
        for option, name in wanted.items():
            if name is not None and name not in present:
                tokens = next((c for c in TOKEN_COLUMNS if c in present), None)
                hint = f" ({tokens!r} holds token ids: text_column: {tokens})" if tokens else ""
                raise InputError(
                    f"there is no column {name!r}; the columns are {', '.join(map(repr, present))}{hint}",
                    where=f"corpus.{option}; {where}",
                    fix=suggest(name, present),
                )

    def document(self, row: Mapping[str, Any], *, name: str, where: str) -> Document | None:
        """The document of `row`, or None where its text is null or empty.

        `name` is used where the row has none; `where` is for errors (file and line or row).
        """
        if self.text_column not in row or (self.name_column is not None and self.name_column not in row):
            self.check_columns(row, where=where)
        value = row[self.text_column]
        given = row[self.name_column] if self.name_column is not None else None
        title = name if given is None else without_surrogates(str(given))
        if value is None or (isinstance(value, str | list) and not value):
            return None
        if isinstance(value, str):
            return Document(title, without_surrogates(value))
        if isinstance(value, list) and all(type(item) is int for item in value):
            return Document(title, "", tuple(value))
        raise InputError(
            f"column {self.text_column!r} holds {_kind(value)}, not text or a list of token ids",
            where=where,
            fix="set corpus.text_column to the column with the text",
        )


def _kind(value: object) -> str:
    if isinstance(value, list):
        return f"a list with {type(next(i for i in value if type(i) is not int)).__name__} in it"
    return f"a {type(value).__name__}"
