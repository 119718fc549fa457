"""The inverted index behind search: words of explanations, and tokens, to features of all SAEs.

Fields and terms of the table `postings`:

- 'word': the words of an explanation (`atlas.text.words`: lower case, NFKC, parts of snake_case and
  CamelCase too). Weight: 1 over the number of distinct words, so that a short explanation comes first.
- 'token': the text of each token in the feature's `top_tokens`, exactly (leading space, case), special
  tokens by their own spelling, undecodable bytes as `<0xE6>`. Weight: the mean activation on that token
  as a share of the feature's maximum. Clients find other spellings by folding the terms themselves, so
  that a reader can always tell which token it was.

Logits are no part of the index: 'fires on' and 'makes likely' are different questions, and mixing them
would answer neither.

Terms are sorted by (field, code points), as Python compares strings: a client can search them by
bisection. Postings are sorted by (-weight, sae, feature_idx).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from atlas.enrich.token_names import read_token_texts
from atlas.schema import POSTINGS
from atlas.text import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.store import AtlasStore

_STEP = 4096
_TERMS_PER_WRITE = 1 << 14


class _Postings:
    """Postings of one field as parallel columns, 14 bytes each."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._parts: list[_Columns] = []

    def term(self, text: str) -> int:
        """The number of the term `text` in this field."""
        return self._numbers.setdefault(text, len(self._numbers))

    def add(
        self, term: NDArray[np.int32], sae: int, feature: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> None:
        """Take in postings of one SAE; all arrays [n], terms by number."""
        self._parts.append(_Columns(term, np.full(term.size, sae, np.int16), feature, weight))

    def tables(self, field: str) -> Iterator[pa.Table]:
        """The field's rows of the table, in order. Per term and feature the largest weight counts."""
        if not self._parts:
            return
        rows = _Columns(*(np.concatenate(column) for column in zip(*self._parts, strict=True)))
        self._parts.clear()
        texts, rows = self._ranked(rows)
        rows = rows.at(np.lexsort((-rows.weight, rows.feature, rows.sae, rows.term)))
        key = np.stack([rows.term, rows.sae, rows.feature])
        rows = rows.at(np.flatnonzero(np.diff(key, axis=1, prepend=-1).any(axis=0)))
        rows = rows.at(np.lexsort((rows.feature, rows.sae, -rows.weight, rows.term)))
        starts = np.searchsorted(rows.term, np.arange(len(texts) + 1)).astype(np.int32)
        for first in range(0, len(texts), _TERMS_PER_WRITE):
            stop = min(first + _TERMS_PER_WRITE, len(texts))
            offsets = pa.array(starts[first : stop + 1] - starts[first])
            part = rows.at(np.arange(starts[first], starts[stop]))
            lists = [
                pa.ListArray.from_arrays(offsets, pa.array(column))
                for column in (part.sae, part.feature, part.weight)
            ]
            names = [pa.array(texts[first:stop], pa.string()), pa.array([field] * (stop - first))]
            yield pa.table([*names, *lists], schema=POSTINGS)

    def _ranked(self, rows: _Columns) -> tuple[list[str], _Columns]:
        """(the terms that have postings, sorted; `rows` with each term's place in them)."""
        by_number = list(self._numbers)
        used = np.unique(rows.term)
        ordered = sorted(by_number[number] for number in used)
        place = np.zeros(len(by_number), np.int32)
        place[[self._numbers[text] for text in ordered]] = np.arange(len(ordered), dtype=np.int32)
        return ordered, rows._replace(term=place[rows.term])


class _Columns(NamedTuple):
    """Postings, in columns. All arrays [n]."""

    term: NDArray[np.int32]
    sae: NDArray[np.int16]
    feature: NDArray[np.int32]
    weight: NDArray[np.float32]

    def at(self, chosen: NDArray[np.signedinteger]) -> _Columns:
        """The postings at an index."""
        return _Columns(self.term[chosen], self.sae[chosen], self.feature[chosen], self.weight[chosen])


def build_postings(store: AtlasStore) -> None:
    """Write the table `postings` from the explanations and top tokens of all SAEs of the manifest.

    SAEs without explanations simply have no words. Equal tables give equal bytes. Memory: 14 bytes a
    posting, twice while sorting (about 6 million postings for 131,072 features).
    """
    by_word, by_token = _Postings(), _Postings()
    token_terms = _token_terms(store, by_token)
    for number, entry in enumerate(store.manifest.saes):
        if store.has("explanations", entry.slug):
            _add_words(store, entry.slug, number, by_word)
        _add_tokens(store, entry.slug, number, by_token, token_terms)
    with store.writer("postings", schema=POSTINGS) as writer:
        for field, postings in (("token", by_token), ("word", by_word)):
            for table in postings.tables(field):
                writer.write(table)


def _add_words(store: AtlasStore, slug: str, sae: int, postings: _Postings) -> None:
    columns = ["feature_idx", "text"]
    for _, _, rows in store.iter_features("explanations", slug, _STEP, columns):
        found = [words(text) for text in rows["text"].to_pylist()]
        count = np.array([len(terms) for terms in found], np.int32)
        term = np.array([postings.term(word) for terms in found for word in terms], np.int32)
        weight = (1 / np.repeat(count, count)).astype(np.float32)
        postings.add(term, sae, np.repeat(rows["feature_idx"].to_numpy(), count), weight)


def _token_terms(store: AtlasStore, postings: _Postings) -> NDArray[np.int32]:
    """[largest token_id + 1] the term of every token; -1 where it has no text."""
    texts = read_token_texts(store)
    terms = np.full(max(texts, default=-1) + 1, -1, np.int32)
    for token_id, text in texts.items():
        if text:
            terms[token_id] = postings.term(text)
    return terms


def _add_tokens(
    store: AtlasStore, slug: str, sae: int, postings: _Postings, token_terms: NDArray[np.int32]
) -> None:
    columns = ["feature_idx", "max_activation", "top_tokens"]
    for _, _, rows in store.iter_features("features", slug, _STEP, columns):
        lists = rows["top_tokens"].combine_chunks()
        tokens = lists.flatten()
        count = lists.value_lengths().fill_null(0).to_numpy()
        feature = np.repeat(rows["feature_idx"].to_numpy(), count)
        largest = np.repeat(rows["max_activation"].to_numpy(), count)
        weight = np.clip(tokens.field("value").to_numpy() / largest, 0, 1).astype(np.float32)
        term = token_terms[tokens.field("token_id").to_numpy()]
        present = term >= 0
        postings.add(term[present], sae, feature[present], weight[present])
