"""A reader of feature shards written from what `atlas.render.packing` and `atlas.render.feature_shards` say.

Number by number, with `struct` and plain lists: slow, and sharing no line with the writer.
"""

from __future__ import annotations

import itertools
import json
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Reader:
    """The three rows of numbers of a shard, and its text."""

    data: bytes
    text: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        assert self.data[:4] == b"AF1\n"
        words, integers, singles, doubles = struct.unpack("<4I", self.data[4:20])
        self.text = json.loads(self.data[20 : 20 + words])
        start = 20 + words
        self.integer = _leb128(self.data[start : start + integers])
        start += integers
        self.single = _planes(self.data[start : start + 4 * singles], "<f", 4)
        start += 4 * singles
        self.double = _planes(self.data[start : start + 8 * doubles], "<d", 8)
        assert start + 8 * doubles == len(self.data)

    def integers(self, count: int) -> list[int]:
        return [next(self.integer) for _ in range(count)]

    def signed(self, count: int) -> list[int]:
        return [number // 2 if number % 2 == 0 else -(number + 1) // 2 for number in self.integers(count)]

    def based(self, count: int) -> list[int]:
        (least,) = self.signed(1)
        return [number + least for number in self.integers(count)]

    def singles(self, count: int) -> list[float | None]:
        return [shortest(value) for value in self.raw(count)]

    def raw(self, count: int) -> list[float]:
        return [next(self.single) for _ in range(count)]

    def doubles(self, count: int) -> list[float | None]:
        return [None if math.isnan(value) else value for value in (next(self.double) for _ in range(count))]

    def finish(self) -> None:
        assert next(self.integer, None) is None
        assert next(self.single, None) is None
        assert next(self.double, None) is None


def shortest(value: float) -> float | None:
    """A single in as few digits as give it back; None for NaN."""
    return None if math.isnan(value) else float(str(np.float32(value)))


def _leb128(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield number
            number = shift = 0
    assert shift == 0


def _planes(data: bytes, form: str, width: int) -> Iterator[float]:
    count = len(data) // width
    for at in range(count):
        yield struct.unpack(form, bytes(data[plane * count + at] for plane in range(width)))[0]


def common_pieces(shard: Mapping[str, Any]) -> list[str]:
    """The texts of the shard `pieces`, each put together from its own end and the one before."""
    texts: list[str] = []
    for digit, rest in zip(shard["shared"], shard["rest"], strict=True):
        count = int(digit, 36)
        texts.append((texts[-1][:count] if count else "") + rest)
    return texts


def read_features(data: bytes, common: list[str]) -> dict[str, Any]:
    """The `FeatureShard` in `data`."""
    reader = Reader(data)
    text, count = reader.text, reader.text["count"]
    assert text["common"] == len(common)
    numbers = list(itertools.accumulate(reader.integers(len(text["titles"]))))
    methods, names, scores = reader.integers(count), reader.integers(count), reader.singles(count)
    columns = [_column(reader, kind) for kind in text["types"]]
    groups = _examples(reader)
    effects = _effects(reader)
    reader.finish()
    features = [
        {
            "feature_idx": text["start"] + at,
            "title": text["texts"][at],
            "method": text["methods"][methods[at]],
            "score": scores[at],
            "score_name": text["score_names"][names[at]],
            "hash": text["hashes"][at],
            "max_activation": (columns[text["largest"]][at] or 0) if text["largest"] >= 0 else 0,
            "values": [column[at] for column in columns],
            "groups": groups[at],
            "effects": effects[at],
        }
        for at in range(count)
    ]
    titles = [list(pair) for pair in zip(numbers, text["titles"], strict=True)]
    titles += [[feature["feature_idx"], feature["title"]] for feature in features if feature["title"]]
    return {
        "pieces": [*common, *text["own"]],
        "documents": text["documents"],
        "titles": titles,
        "features": features,
    }


def _column(reader: Reader, kind: str) -> list[Any]:
    count, names = reader.text["count"], reader.text["names"]
    if kind in {"f", "d"}:
        return reader.singles(count) if kind == "f" else reader.doubles(count)
    numbers = reader.integers(count)
    if kind == "i":
        back = {0: None}
        return [back.get(n, (n - 1) // 2 if (n - 1) % 2 == 0 else -n // 2) for n in numbers]
    if kind == "s":
        return [names[number - 1] if number else None for number in numbers]
    lengths = [max(0, number - 1) for number in numbers]
    entries = sum(lengths)
    if kind == "h":
        fields = _histogram(reader, lengths)
    else:
        read = {
            "p": reader.integers,
            "i": reader.signed,
            "f": reader.singles,
            "d": reader.doubles,
            "n": lambda size: [names[number] for number in reader.integers(size)],
        }
        fields = [read[letter](entries) for letter in kind[1:]]
    rows = iter(zip(*fields, strict=True))
    found = [[value for row in itertools.islice(rows, length) for value in row] for length in lengths]
    return [row if number else None for number, row in zip(numbers, found, strict=True)]


def _histogram(reader: Reader, lengths: list[int]) -> list[list[Any]]:
    bins = sum(lengths)
    edges: list[list[float]] = [[], []]
    if reader.integers(1) == [0]:
        unit = 2 ** reader.integers(1)[0]
        ranks = list(itertools.accumulate(reader.signed(bins)))
        widths = reader.signed(bins)
        edges = [
            [of_rank(rank * unit) for rank in ranks],
            [of_rank((rank + width) * unit) for rank, width in zip(ranks, widths, strict=True)],
        ]
    else:
        filled = [length for length in lengths if length]
        low, high = reader.raw(len(filled)), reader.raw(len(filled))
        steps = reader.integers(len(filled))
        places = list(itertools.accumulate(reader.signed(bins)))
        off = [reader.signed(bins), reader.signed(bins)]
        at = 0
        for first, last, count, length in zip(low, high, steps, filled, strict=True):
            for place in range(at, at + length):
                for side in (0, 1):
                    guess = np.float32(first + (last - first) * (places[place] + side) / count)
                    edges[side].append(of_rank(rank_of(float(guess)) + off[side][place]))
            at += length
    return [[shortest(edge) for edge in side] for side in edges] + [reader.signed(bins)]


def of_rank(rank: int) -> float:
    """The single of a rank."""
    return struct.unpack("<f", struct.pack("<I", rank if rank >= 0 else 0x80000000 - rank))[0]


def rank_of(value: float) -> int:
    """The rank of a single."""
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    return bits if bits < 0x80000000 else 0x80000000 - bits


def _examples(reader: Reader) -> list[list[dict[str, Any]]]:
    per_feature = reader.integers(reader.text["count"])
    total = sum(per_feature)
    names, sizes = reader.integers(total), reader.integers(total)
    lower, upper = reader.singles(total), reader.singles(total)
    count = sum(sizes)
    activation = reader.singles(count)
    document, context, position, copies, peak, length, hot = (reader.based(count) for _ in range(7))
    places, strengths = iter(reader.integers(sum(hot))), iter(reader.integers(sum(hot)))
    pieces = iter(reader.integers(sum(length)))
    examples = iter(
        [
            {
                "activation": activation[at],
                "document": document[at],
                "context_idx": context[at],
                "position": position[at],
                "copies": copies[at],
                "peak": peak[at],
                "pieces": list(itertools.islice(pieces, length[at])),
                "heat": _pairs(places, strengths, hot[at]),
            }
            for at in range(count)
        ]
    )
    groups = iter(
        [
            {
                "group": reader.text["groups"][names[at]],
                "lower": lower[at],
                "upper": upper[at],
                "examples": list(itertools.islice(examples, sizes[at])),
            }
            for at in range(total)
        ]
    )
    return [list(itertools.islice(groups, own)) for own in per_feature]


def _pairs(places: Iterator[int], strengths: Iterator[int], count: int) -> list[int]:
    found = itertools.accumulate(itertools.islice(places, count))
    return [number for place in list(found) for number in (place, next(strengths))]


def _effects(reader: Reader) -> list[list[dict[str, Any]]]:
    per_feature = reader.integers(reader.text["count"])
    total = sum(per_feature)
    rank, length, raised, lowered = (reader.integers(total) for _ in range(4))
    values = iter(reader.singles(sum(length)))
    effects = [list(itertools.islice(values, size)) for size in length]
    lists = []
    for sizes in (raised, lowered):
        entries = sum(sizes)
        rows = iter(
            zip(reader.integers(entries), reader.singles(entries), reader.singles(entries), strict=True)
        )
        lists.append([[number for row in itertools.islice(rows, size) for number in row] for size in sizes])
    found = iter(
        [
            {"rank": rank[at], "effects": effects[at], "raised": lists[0][at], "lowered": lists[1][at]}
            for at in range(total)
        ]
    )
    return [list(itertools.islice(found, own)) for own in per_feature]
