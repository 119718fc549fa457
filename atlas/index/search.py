"""The inverted index behind search: from words, tokens and phrases to features of all SAEs.

Fields and terms of the table `postings`:

- 'word': the words of an explanation (`atlas.text.words`: lower case, NFKC, parts of snake_case and
  CamelCase too). Weight: 1 over the number of distinct words, so that a short explanation comes first.
- 'token': the text of each token in the feature's `top_tokens`, exactly (leading space, case), special
  tokens by their own spelling, undecodable bytes as `<0xE6>`. Weight: the mean activation on that token
  as a share of the feature's maximum. Clients find other spellings by folding the terms themselves, so
  that a reader can always tell which token it was.
- 'seen': any other token on which the feature fires somewhere in its stored examples, spelled likewise.
  Weight: its largest activation there as a share of the feature's maximum. A token of neither field is one
  that the feature fires on too seldom and too weakly to be in its list or its examples, or not at all.
- 'example': the words that stand at most 4 tokens before the peak, or 1 after, in at least 2 of the
  feature's top examples; the words of its text in whole characters, each of up to 8 tokens; a byte that is no
  part of a character parts words. Weight: the share of its top examples.
- 'phrase': the exact text of 2 or 3 tokens in a row, the peak among them, that stand in at least 2 of the
  feature's top examples. Weight: the largest activation of those as a share of the feature's maximum.

Logits are no part of the index: 'fires on' and 'makes likely' are different questions, and mixing them
would answer neither.

Terms are sorted by (field, code points), as Python compares strings: a client can search them by
bisection. Postings are sorted by (-weight, sae, feature_idx).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atlas.enrich.token_names import read_token_texts
from atlas.index.examples import ExampleReader, Found
from atlas.index.postings import FIELDS, Postings
from atlas.index.sequences import TokenFacts
from atlas.schema import POSTINGS
from atlas.stats.lists import flatten
from atlas.text import words

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from atlas.store import AtlasStore

_STEP = 4096
_EXAMPLE_COLUMNS = ["feature_idx", "group", "activation", "peak", "token_ids", "activations"]


def build_postings(store: AtlasStore) -> None:
    """Write the table `postings` from explanations, top tokens and examples of all SAEs of the manifest.

    SAEs without explanations or examples simply lack their terms. Equal tables give equal bytes. Memory:
    14 bytes a posting, twice while sorting a field, and the examples of 4,096 features.
    """
    index = _Index(store)
    for number, entry in enumerate(store.manifest.saes):
        if store.has("explanations", entry.slug):
            index.add_words(entry.slug, number)
        index.add_tokens(entry.slug, number)
    with store.writer("postings", schema=POSTINGS) as writer:
        for field in sorted(FIELDS):
            for table in index.fields[field].tables(field):
                writer.write(table)


class _Index:
    """The postings of every field, while they are gathered."""

    def __init__(self, store: AtlasStore) -> None:
        self.fields = {field: Postings() for field in FIELDS}
        self._store = store
        self._token_terms = _token_terms(store, self.fields["token"])
        vocabulary = store.read("vocabulary", columns=["token_id", "bytes", "special"])
        self._reader = ExampleReader(
            TokenFacts.of(vocabulary), self._token_terms, self.fields["example"], self.fields["phrase"]
        )
        for text in self.fields["token"].texts():
            self.fields["seen"].term(text)

    def add_words(self, slug: str, sae: int) -> None:
        """Take in the explanations of an SAE."""
        columns = ["feature_idx", "text"]
        postings = self.fields["word"]
        for _, _, rows in self._store.iter_features("explanations", slug, _STEP, columns):
            found = [words(text) for text in rows["text"].to_pylist()]
            count = np.array([len(terms) for terms in found], np.int32)
            term = np.array([postings.term(word) for terms in found for word in terms], np.int32)
            weight = (1 / np.repeat(count, count)).astype(np.float32)
            postings.add(term, sae, np.repeat(rows["feature_idx"].to_numpy(), count), weight)

    def add_tokens(self, slug: str, sae: int) -> None:
        """Take in the tokens that features of an SAE fire on, and what their examples say."""
        columns = ["feature_idx", "max_activation", "top_tokens"]
        has_examples = self._store.has("examples", slug)
        for start, stop, rows in self._store.iter_features("features", slug, _STEP, columns):
            listed = self._listed(rows)
            self._add("token", sae, listed)
            if has_examples:
                largest = np.zeros(stop, np.float32)
                largest[rows["feature_idx"].to_numpy()] = rows["max_activation"].to_numpy()
                examples = self._store.read_features("examples", slug, start, stop, _EXAMPLE_COLUMNS)
                self._add("seen", sae, self._reader.seen(examples, largest, listed))
                word, phrase = self._reader.around_peaks(examples, largest)
                self._add("example", sae, word)
                self._add("phrase", sae, phrase)

    def _listed(self, rows: pa.Table) -> Found:
        bounds, tokens = flatten(rows["top_tokens"])
        count = np.diff(bounds)
        feature = np.repeat(rows["feature_idx"].to_numpy(), count)
        largest = np.repeat(rows["max_activation"].to_numpy(), count)
        weight = np.clip(tokens.field("value").to_numpy() / largest, 0, 1).astype(np.float32)
        term = self._token_terms[tokens.field("token_id").to_numpy()]
        present = term >= 0
        return Found(term[present], feature[present], weight[present])

    def _add(self, field: str, sae: int, found: Found) -> None:
        self.fields[field].add(found.term, sae, found.feature, found.weight)


def _token_terms(store: AtlasStore, postings: Postings) -> NDArray[np.int32]:
    """[largest token_id + 2] the term of every token; -1 where it has no text, and for `NONE`."""
    texts = read_token_texts(store)
    terms = np.full(max(texts, default=-1) + 2, -1, np.int32)
    for token_id, text in texts.items():
        if text:
            terms[token_id] = postings.term(text)
    return terms
