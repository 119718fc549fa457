"""Step 1: collect the text, train the tokenizer, and write every part of the corpus as token ids.

    python -m recipes.demo.prepare --out work/data --packages .venv/lib/python3.11/site-packages \
        --library /usr/lib/python3.10 --library /usr/lib/python3.12

The running Python's library is always used. Further libraries and packages make the model a better reader;
each text is taken once.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recipes.demo.corpus import (
    Document,
    library_documents,
    package_documents,
    running_library,
    without_repeats,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BOS = "<|endoftext|>"
"""The one special token, id 0: begins every document and stands at position 0 of every context."""

HELD_OUT_SHARE = 1 / 30
"""Share of the library's files that no model sees in training."""

TESTS_IN_TOKENIZER = 150
"""How many test files the tokenizer learns from, beside the whole library."""


def collect(
    library: Path, libraries: Sequence[Path], packages: Sequence[Path], seed: int
) -> dict[str, list[Document]]:
    """The parts of the corpus: library_train, library_held_out, tests, topics, other, packages.

    Files are held out whole. Topics are never held out: they occur in several libraries with small changes.
    """
    rng = np.random.default_rng(seed)
    seen: set[bytes] = set()
    plain = list(without_repeats(library_documents(library, tests=False), seen))
    tests = list(without_repeats(library_documents(library, tests=True), seen))
    topics = [document for document in plain if document[0].startswith("topics/")]
    files = _shuffled([document for document in plain if not document[0].startswith("topics/")], rng)
    held_out = files[: max(1, round(len(files) * HELD_OUT_SHARE))]
    held_out_names = {name for name, _ in held_out}
    others = itertools.chain.from_iterable(
        library_documents(folder, tests=kind) for folder in libraries for kind in (False, True)
    )
    # The same file of another Python differs in a few lines: it would give the held-out one away.
    other = [document for document in without_repeats(others, seen) if document[0] not in held_out_names]
    sources = itertools.chain.from_iterable(package_documents(folder) for folder in packages)
    return {
        "library_train": files[len(held_out) :] + topics,
        "library_held_out": held_out,
        "tests": _shuffled(tests, rng),
        "topics": topics,
        "other": other,
        "packages": list(without_repeats(sources, seen)),
    }


def _shuffled(documents: list[Document], rng: np.random.Generator) -> list[Document]:
    return [documents[place] for place in rng.permutation(len(documents))]


def train_tokenizer(parts: dict[str, list[Document]], vocabulary: int) -> Tokenizer:
    """A byte-level BPE tokenizer of `vocabulary` tokens, learned from the library and some of its tests."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[BOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=2,
        show_progress=False,
    )
    documents = parts["library_train"] + parts["tests"][:TESTS_IN_TOKENIZER]
    tokenizer.train_from_iterator((text for _, text in documents), trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, documents: list[Document], block: int = 500) -> np.ndarray:
    """uint16 ids of all documents in a row, each preceded by BOS (id 0)."""
    pieces: list[np.ndarray] = [np.zeros(0, np.uint16)]
    for start in range(0, len(documents), block):
        texts = [text for _, text in documents[start : start + block]]
        pieces += [np.array([0, *encoding.ids], np.uint16) for encoding in tokenizer.encode_batch(texts)]
    return np.concatenate(pieces)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write `tokenizer.json`, one `.npy` per part, and `documents.json` (names per part) to `--out`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--running-library", type=Path, default=running_library())
    parser.add_argument("--library", type=Path, action="append", default=[], help="another CPython's library")
    parser.add_argument("--packages", type=Path, action="append", default=[], help="a site-packages folder")
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)

    parts = collect(options.running_library, options.library, options.packages, options.seed)
    tokenizer = train_tokenizer(parts, options.vocabulary)
    tokenizer.save(str(options.out / "tokenizer.json"))
    for name, documents in parts.items():
        ids = encode(tokenizer, documents)
        np.save(options.out / f"{name}.npy", ids)
        print(f"{name}: {len(documents)} documents, {ids.size} tokens")
    names = {part: [name for name, _ in documents] for part, documents in parts.items()}
    (options.out / "documents.json").write_text(json.dumps(names, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
