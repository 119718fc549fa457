"""Documents cut into contexts of one length, as SAEs are trained, with every document boundary kept."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from atlas.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.sources.corpora.base import Corpus, Document
    from atlas.sources.saes.base import SaeFacts
    from atlas.sources.tokens import TokenBytes

PADDING = -1
"""Stands in `token_ids` and `document_idx` where the last context has no token."""

OWN_SOURCES = 31
"""Sources told apart: the first so many of the corpus."""
OTHER_SOURCES = "other"
"""Name of all further ones together, which count as one."""

_AHEAD_CHARACTERS = 1 << 20
_AHEAD_DOCUMENTS = 256


@dataclass(frozen=True, eq=False)
class PackedContext:
    """One sequence as the model reads it. Arrays are [context_size]; padding is -1 in all of them."""

    context_idx: int
    """Number of the context in the corpus, from 0."""
    token_ids: NDArray[np.int32]
    """Tokens; -1 only at the end of the very last context."""
    document_idx: NDArray[np.int32]
    """Document of each token; an inserted BOS or separator belongs to the document after it."""
    document_offset: NDArray[np.int32]
    """Number of each token within its document, from 0; -1 for an inserted BOS or separator."""
    source_idx: NDArray[np.int16]
    """Source of each token's document: index into `Packing.sources`."""

    @property
    def n_tokens(self) -> int:
        """Tokens without padding."""
        return int(np.count_nonzero(self.token_ids != PADDING))


@dataclass
class SeenDocument:
    """A document that occurs in at least one context."""

    name: str
    """As the corpus calls it; untrusted text."""
    source: str
    """Part of the corpus it is from; untrusted text."""
    n_tokens: int = 0
    """Its own tokens packed so far (an inserted BOS or separator is not counted)."""


@dataclass
class _Draft:
    """The context being filled: parallel lists of tokens, documents and offsets."""

    token_ids: list[int] = field(default_factory=list[int])
    document_idx: list[int] = field(default_factory=list[int])
    offset: list[int] = field(default_factory=list[int])

    def insert(self, token_id: int, document_idx: int) -> None:
        """Add a BOS or separator in front of document `document_idx`."""
        self.token_ids.append(token_id)
        self.document_idx.append(document_idx)
        self.offset.append(PADDING)

    def extend(self, token_ids: list[int], document_idx: int, offset: int) -> None:
        """Add tokens of a document, the first of which is its token number `offset`."""
        self.token_ids.extend(token_ids)
        self.document_idx.extend([document_idx] * len(token_ids))
        self.offset.extend(range(offset, offset + len(token_ids)))

    def seal(self, context_idx: int, context_size: int, source_of: Sequence[int]) -> PackedContext:
        """The finished context, padded to `context_size`; `source_of` [n_documents] their sources."""
        missing = [PADDING] * (context_size - len(self.token_ids))
        arrays = (self.token_ids, self.document_idx, self.offset)
        token_ids, document_idx, offset = (np.array(a + missing, dtype=np.int32) for a in arrays)
        sources = [source_of[document] for document in self.document_idx]
        source_idx = np.array(sources + missing, dtype=np.int16)
        return PackedContext(context_idx, token_ids, document_idx, offset, source_idx)


class Packing:
    """An iterator of `PackedContext`, in corpus order, that remembers the documents it packed.

    The rule (as SAELens packs when it trains on the fly):

    1. A context begins with BOS if `prepend_bos`, unless its first token is BOS already.
    2. A document that begins inside a context gets the separator in front, unless it begins with that
       token itself. A document that begins a context does not: the BOS of rule 1 separates it.
    3. Documents are cut wherever a context is full; the rest goes on in the next context.
    4. After the first context with which `token_budget` tokens (BOS and separators included) are
       reached, packing stops. The last context of the corpus, if not full, is padded with -1 and kept.
    """

    documents: list[SeenDocument]
    """Documents packed so far, in corpus order; complete when the iterator is exhausted."""
    n_tokens: int
    """Tokens packed so far, BOS and separators included."""
    sources: list[str]
    """Names of the sources packed so far, in the order in which they came; after the first `OWN_SOURCES` one
    more, `OTHER_SOURCES`, for the rest."""

    def __init__(
        self,
        corpus: Corpus,
        tokens: TokenBytes,
        *,
        context_size: int,
        bos_token_id: int | None,
        separator_id: int | None,
        token_budget: int,
    ) -> None:
        self.documents = []
        self.n_tokens = 0
        self.sources = []
        self._numbers: dict[str, int] = {}
        self._source_of = array("h")
        self._size = context_size
        self._bos = bos_token_id
        self._separator = separator_id
        self._budget = token_budget
        self._contexts = self._pack(_tokenised(corpus, tokens))

    def __iter__(self) -> Iterator[PackedContext]:
        return self

    def __next__(self) -> PackedContext:
        return next(self._contexts)

    def _pack(self, documents: Iterator[tuple[Document, Iterator[list[int]]]]) -> Iterator[PackedContext]:
        draft = _Draft()
        context_idx = 0
        for document, segments in documents:
            offset = 0
            for segment in filter(None, segments):
                if offset == 0:
                    self._begin(document)
                start = 0
                while start < len(segment):
                    taken = self._fill(draft, segment, start, offset)
                    start += taken
                    offset += taken
                    if len(draft.token_ids) == self._size:
                        yield self._finish(draft, context_idx)
                        context_idx += 1
                        draft = _Draft()
                        if self.n_tokens >= self._budget:
                            return
        if draft.token_ids:
            yield self._finish(draft, context_idx)
        elif context_idx == 0:
            raise InputError(
                "the corpus has no text: not a single token to read",
                where="corpus",
                fix="check the paths, the text column and that the files are not empty",
            )

    def _begin(self, document: Document) -> None:
        """Remember a document, and its source under a number."""
        self.documents.append(SeenDocument(document.name, document.source))
        if document.source not in self._numbers and len(self._numbers) < OWN_SOURCES:
            self._numbers[document.source] = len(self._numbers)
            self.sources.append(document.source)
        number = self._numbers.get(document.source, OWN_SOURCES)
        if number == len(self.sources):
            self.sources.append(OTHER_SOURCES)
        self._source_of.append(number)

    def _fill(self, draft: _Draft, segment: list[int], start: int, offset: int) -> int:
        """Put as much of `segment[start:]` into `draft` as fits; the number of tokens taken (may be 0)."""
        document_idx = len(self.documents) - 1
        at_start = offset == 0
        opening = self._bos if not draft.token_ids else self._separator if at_start else None
        if opening is not None and segment[start] != opening:
            draft.insert(opening, document_idx)
        part = segment[start : start + self._size - len(draft.token_ids)]
        draft.extend(part, document_idx, offset)
        self.documents[-1].n_tokens += len(part)
        return len(part)

    def _finish(self, draft: _Draft, context_idx: int) -> PackedContext:
        self.n_tokens += len(draft.token_ids)
        return draft.seal(context_idx, self._size, self._source_of)


def pack(
    corpus: Corpus,
    tokens: TokenBytes,
    *,
    context_size: int,
    prepend_bos: bool,
    token_budget: int,
    separator: str | None = "bos",
) -> Packing:
    """Pack `corpus` into contexts of `context_size` tokens (see `Packing` for the exact rule).

    `separator` is SAELens' `sequence_separator_token`: 'bos', 'eos', the spelling of a special token,
    or None for no separator. Where the tokenizer has no such token, documents follow each other
    without one. `prepend_bos` with a tokenizer that has no BOS is an `InputError`.
    """
    if prepend_bos and tokens.bos_token_id is None:
        raise InputError(
            "the SAE was trained with BOS in front of every context, but this tokenizer has no BOS token",
            where="saes: prepend_bos",
            fix="set prepend_bos: false, or use the tokenizer the model was trained with",
        )
    return Packing(
        corpus,
        tokens,
        context_size=context_size,
        bos_token_id=tokens.bos_token_id if prepend_bos else None,
        separator_id=_separator_id(tokens, separator),
        token_budget=token_budget,
    )


def trained_separator(facts: SaeFacts) -> str | None:
    """The document separator an SAE was trained with, for `pack`; SAELens' default is 'bos'."""
    found = facts.metadata.get("sequence_separator_token", "bos")
    return found if isinstance(found, str) else None


def _separator_id(tokens: TokenBytes, separator: str | None) -> int | None:
    if separator in {None, "bos"}:
        return tokens.bos_token_id if separator else None
    if separator == "eos":
        return tokens.eos_token_id
    spelt = (
        idx for idx, (_, special, piece) in enumerate(tokens.vocabulary()) if special and piece == separator
    )
    return next(spelt, None)


def _tokenised(corpus: Corpus, tokens: TokenBytes) -> Iterator[tuple[Document, Iterator[list[int]]]]:
    """(document, segments of token ids) of every document, encoded a bounded number of documents ahead."""
    for batch in _batches(corpus.documents()):
        if len(batch) == 1:
            yield batch[0], _segments(batch[0], tokens)
            continue
        encoded = iter(tokens.encode_batch([d.text for d in batch if d.token_ids is None]))
        for document in batch:
            ready = document.token_ids is None
            yield document, iter([next(encoded)]) if ready else _segments(document, tokens)


def _batches(documents: Iterator[Document]) -> Iterator[list[Document]]:
    """Runs of documents of together about a million characters; a longer document comes alone."""
    batch: list[Document] = []
    characters = 0
    for document in documents:
        if batch and (characters + len(document.text) > _AHEAD_CHARACTERS or len(batch) == _AHEAD_DOCUMENTS):
            yield batch
            batch, characters = [], 0
        batch.append(document)
        characters += len(document.text)
    if batch:
        yield batch


def _segments(document: Document, tokens: TokenBytes) -> Iterator[list[int]]:
    if document.token_ids is None:
        return tokens.encode_lazily(document.text)
    ids = list(document.token_ids)
    wrong = next((idx for idx in ids if not 0 <= idx < tokens.vocabulary_size), None)
    if wrong is not None:
        raise InputError(
            f"token id {wrong} is not in the vocabulary (0 to {tokens.vocabulary_size - 1})",
            where=f"corpus, document {document.name!r}",
            fix="the corpus was tokenised for another model: use its text, or that model",
        )
    return iter([ids])
