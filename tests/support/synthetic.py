"""A complete small dataset without torch: every table, plausible and consistent with one another.

The corpus is real text, cut into tokens by a toy tokenizer whose ids 0..255 are the single bytes
(so that characters outside its word list span several tokens). Every feature fires on a few chosen
tokens with a strength drawn from a seeded generator; all counts and examples follow from that.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from atlas import schema
from atlas.schema import column
from atlas.store import AtlasStore
from atlas.text import search_key, words

TEXTS = (
    (
        "def parse(text):\n    if not text:\n"
        "        raise ValueError('empty text')\n    return json.loads(text)\n"
    ),
    (
        "class Reader:\n\tdef __init__(self, path):\n\t\tself.path = path\n\n"
        "\tdef read(self):\n\t\treturn open(self.path).read()\n"
    ),
    (
        "The lighthouse keeper wrote every evening what the weather had been, "
        "and every morning he read it again.\n"
    ),
    "SELECT name, count(*) FROM features WHERE density < 0.01 GROUP BY name ORDER BY count(*) DESC;\n",
    "日本語の文章と絵文字 🤗🏳️‍🌈 も、そのまま表示される。\n",
    (
        "for index, value in enumerate(values):\n    if value is None:\n"
        "        raise ValueError(f'no value at {index}')\n"
    ),
    "שלום עולם and مرحبا بالعالم stand in one line with English, in both directions.\n",
    (
        "Im Jahr 1905 erschienen fünf Arbeiten; jede veränderte die Physik, "
        "und keine war länger als 31 Seiten.\n"
    ),
    (
        "import os\nimport re\n\nPATTERN = re.compile(r'[a-z]+')\n\n"
        "def find(text):\n    return PATTERN.findall(text)\n"
    ),
    "E = mc², ∑ xᵢ ≤ ∞, and naïve café prices rise by 3 % — “quoted”, twice.\n",
    '<p class="note">An HTML page, with &amp; and <b>bold</b> words.</p>\n',
    "try:\n    value = cache[key]\nexcept KeyError:\n    raise LookupError(key) from None\n",
)
CONTEXT_SIZE = 32
BEFORE, AFTER = 9, 6
TOP, INTERVALS, PER_INTERVAL, RANDOM = 6, 5, 2, 3
BOS = 256
"""Token id of the one special token; 0..255 are the single bytes."""
SPECIAL = "<|endoftext|>"

FEATURE_COLUMNS = (
    column(
        "firing_tokens",
        pa.int64(),
        doc="Counted tokens on which the feature fires (activation > 0).",
        kind="scalar",
        unit="tokens",
    ),
    column(
        "firing_contexts",
        pa.int64(),
        doc="Packed sequences in which the feature fires.",
        kind="scalar",
        unit="contexts",
    ),
    column(
        "activation_density",
        pa.float64(),
        doc="firing_tokens divided by the number of counted tokens.",
        kind="scalar",
        unit="fraction",
    ),
    column(
        "density_lower",
        pa.float64(),
        doc="Lower end of the density's 95 % Wilson interval.",
        kind="scalar",
        unit="fraction",
    ),
    column(
        "density_upper",
        pa.float64(),
        doc="Upper end of the density's 95 % Wilson interval.",
        kind="scalar",
        unit="fraction",
    ),
    column(
        "max_activation",
        pa.float32(),
        doc="Largest activation; 0 if it never fired.",
        kind="scalar",
        unit="activation",
    ),
    column(
        "mean_activation",
        pa.float32(),
        doc="Mean over the tokens on which it fires; null if none.",
        kind="scalar",
        unit="activation",
    ),
    column(
        "activation_histogram",
        schema.HISTOGRAM,
        doc="Activations > 0 in half-open bins.",
        kind="histogram",
        unit="activation",
    ),
    column(
        "top_tokens",
        schema.TOKEN_LIST,
        doc="Tokens it fires on (value = mean activation there).",
        kind="token_list",
        unit="activation",
    ),
    column(
        "sources",
        schema.SOURCE_LIST,
        doc="Parts of the corpus it fires in most densely (value = share of their tokens).",
        kind="source_list",
        unit="fraction",
    ),
)


@dataclass
class Corpus:
    """The toy corpus: names, vocabulary and packed contexts."""

    names: list[str]
    vocabulary: list[bytes]
    token_ids: np.ndarray  # [n_contexts, CONTEXT_SIZE] int32, padding -1
    document_idx: np.ndarray  # same shape, padding -1
    document_tokens: list[int] = field(default_factory=list)

    def source(self, document_idx: int) -> str:
        """The part of the corpus a document is from: one of three in turn, or its own (hostile) name."""
        name = self.names[document_idx]
        return ("stories", "code", "letters")[document_idx % 3] if name.startswith("texts/") else name

    @property
    def counted(self) -> np.ndarray:
        return (self.token_ids >= 0) & (self.token_ids != BOS)


@dataclass
class Events:
    """Where one SAE fires: parallel arrays sorted by (feature, context, position)."""

    feature: np.ndarray
    context: np.ndarray
    position: np.ndarray
    activation: np.ndarray
    starts: np.ndarray  # [n_features + 1] slice of each feature

    def of(self, feature: int) -> slice:
        return slice(int(self.starts[feature]), int(self.starts[feature + 1]))


def make_atlas(
    path: Path,
    *,
    n_features: int = 48,
    saes: Sequence[str] = ("alpha", "beta"),
    seed: int = 0,
    texts: Sequence[str] | None = None,
    dead: Sequence[int] = (3,),
    hostile: Sequence[str] = (),
) -> AtlasStore:
    """A dataset at `path` with every table of `atlas.schema`; equal arguments give equal bytes.

    Features in `dead` never fire. Each string of `hostile` becomes a token of its own, a document
    and its name, an explanation (of feature i for string i, cycling), and the names of the atlas,
    the model, the corpus and the SAEs.
    """
    corpus = _corpus(list(TEXTS if texts is None else texts), list(hostile))
    store = AtlasStore.create(path)
    store.update(**_facts(corpus, n_features, saes, hostile))
    with store.lock():
        _write_shared(store, corpus)
        for number, slug in enumerate(saes):
            rng = np.random.default_rng((seed, number))
            events = _events(corpus, n_features, dead, rng)
            _write_sae(store, slug, corpus, events, n_features=n_features, hostile=hostile, rng=rng)
        _write_postings(store, corpus, saes, n_features)
        _write_vectors(store, len(saes) * n_features)
    return store


def clean(text: str) -> str:
    """`text` as Arrow and UTF-8 can carry it: lone surrogates replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _pick(hostile: Sequence[str], number: int, otherwise: str) -> str:
    return clean(hostile[number % len(hostile)]) if hostile else otherwise


def _facts(corpus: Corpus, n_features: int, saes: Sequence[str], hostile: Sequence[str]) -> dict[str, object]:
    entries = [
        {
            "slug": slug,
            "title": _pick(hostile, 3 + number, f"Synthetic {slug}"),
            "n_features": n_features,
            "facts": {
                "title": _pick(hostile, 3 + number, f"Synthetic {slug}"),
                "slug": slug,
                "architecture": "jumprelu",
                "hook_name": f"blocks.{number}.hook_resid_post",
                "d_in": 16,
                "d_sae": n_features,
                "dtype": "float32",
                "model_name": _pick(hostile, 4 + number, "synthetic"),
                "prepend_bos": True,
                "context_size": CONTEXT_SIZE,
                "weights_sha256": f"{number:064x}",
                "source": {"folder": _pick(hostile, 5 + number, f"saes/{slug}")},
                "folds": {},
                "metadata": {},
            },
        }
        for number, slug in enumerate(saes)
    ]
    counted = int(np.count_nonzero(corpus.counted))
    return {
        "title": _pick(hostile, 0, "Synthetic atlas"),
        "description": _pick(hostile, 1, "A small atlas made up for tests."),
        "author": _pick(hostile, 2, "Nobody"),
        "config": {"title": _pick(hostile, 0, "Synthetic atlas"), "corpus": {"seed": 0}},
        "model": {
            "name": _pick(hostile, 6, "synthetic"),
            "engine": "transformers",
            "architecture": "gpt2",
            "n_layers": 2,
            "d_model": 16,
            "vocabulary_size": len(corpus.vocabulary),
            "context_size": 64,
            "dtype": "float32",
            "device": "cpu",
            "weights_sha256": "1" * 64,
            "tokenizer_sha256": "2" * 64,
        },
        "corpus": {
            "kind": "text",
            "description": _pick(hostile, 7, "A dozen short texts."),
            "fingerprint": "3" * 64,
            "n_documents": len(corpus.names),
            "n_tokens_read": int((corpus.token_ids >= 0).sum()),
            "context_size": CONTEXT_SIZE,
            "tokens_requested": 100_000,
            "prepend_bos": True,
        },
        "stream": {
            "n_tokens": counted,
            "n_contexts": len(corpus.token_ids),
            "n_masked": int((corpus.token_ids >= 0).sum()) - counted,
            "mask": "special tokens",
            "window_before": BEFORE,
            "window_after": AFTER,
        },
        "saes": entries,
        "enrichers": {"logit_effects": "Made up for tests.", "umap": "Made up for tests."},
        "versions": {"python": "3", "torch": "0"},
        "stages": {"stream": "4" * 64},
    }


def _corpus(texts: list[str], hostile: list[str]) -> Corpus:
    """Tokenize, add BOS between documents and at the head of each context, and cut into contexts."""
    vocabulary = [bytes([value]) for value in range(256)] + [b""]
    known = {token: number for number, token in enumerate(vocabulary[:256])}
    # Sorted, so that ids depend on the texts alone.
    for token in sorted({token for text in texts for token in _split(text)}):
        _learn(token, vocabulary, known)
    for text in hostile:
        _learn(text.encode("utf-8", "surrogatepass"), vocabulary, known)
    documents = [[_id for token in _split(text) for _id in _ids(token, known)] for text in texts]
    documents += [
        [
            *_ids(b"before", known),
            *_ids(text.encode("utf-8", "surrogatepass"), known),
            *_ids(b" after", known),
        ]
        for text in hostile
    ]
    names = [f"texts/document_{number}.txt" for number in range(len(texts))] + [clean(t) for t in hostile]
    stream = [(token, number) for number, ids in enumerate(documents) for token in (BOS, *ids)]
    rows, owners = [], []
    for start in range(0, len(stream), CONTEXT_SIZE):
        cut = stream[start : start + CONTEXT_SIZE]
        padding = [-1] * (CONTEXT_SIZE - len(cut))
        rows.append([token for token, _ in cut] + padding)
        owners.append([owner for _, owner in cut] + padding)
    return Corpus(
        names,
        vocabulary,
        np.array(rows, np.int32).reshape(-1, CONTEXT_SIZE),
        np.array(owners, np.int32).reshape(-1, CONTEXT_SIZE),
        [len(ids) + 1 for ids in documents],
    )


def _split(text: str) -> list[bytes]:
    return [match.encode("utf-8", "surrogatepass") for match in re.findall(r" ?\w+|\s|[^\w\s]", text)]


def _learn(token: bytes, vocabulary: list[bytes], known: dict[bytes, int]) -> None:
    # Words outside Latin stay unknown and so become single bytes.
    if token not in known and token and (token.isascii() or len(token) > 30):
        known[token] = len(vocabulary)
        vocabulary.append(token)


def _ids(token: bytes, known: dict[bytes, int]) -> list[int]:
    return [known[token]] if token in known else list(token)


def _events(corpus: Corpus, n_features: int, dead: Sequence[int], rng: np.random.Generator) -> Events:
    """Feature f fires on up to three tokens of the corpus, each time with another strength."""
    flat = corpus.token_ids.reshape(-1)
    used = np.unique(flat[corpus.counted.reshape(-1)])
    places = {int(token): np.flatnonzero(flat == token) for token in used}
    features, rows, values = [], [], []
    for feature in range(n_features):
        chosen = rng.choice(used, size=min(3, used.size), replace=False) if used.size else used
        chosen[: min(1, used.size)] = (
            used[feature % used.size : feature % used.size + 1] if used.size else chosen
        )
        scale = rng.uniform(2, 20)
        if feature in dead:
            continue
        found = np.unique(np.concatenate([places[int(token)] for token in chosen])) if chosen.size else chosen
        features.append(np.full(found.size, feature))
        rows.append(found)
        values.append(scale * rng.uniform(0.02, 1, found.size) ** 2)
    feature = np.concatenate(features).astype(np.int32) if features else np.zeros(0, np.int32)
    row = np.concatenate(rows).astype(np.int64) if rows else np.zeros(0, np.int64)
    value = np.concatenate(values).astype(np.float32) if values else np.zeros(0, np.float32)
    starts = np.searchsorted(feature, np.arange(n_features + 1))
    return Events(feature, row // CONTEXT_SIZE, row % CONTEXT_SIZE, value, starts)


def _write(
    store: AtlasStore, table: str, schema_: pa.Schema, rows: list[dict], sae: str | None = None
) -> None:
    with store.writer(table, sae=sae, schema=schema_) as writer:
        writer.write(pa.Table.from_pylist(rows, schema=schema_))


def _write_shared(store: AtlasStore, corpus: Corpus) -> None:
    documents = [
        {"document_idx": number, "name": name, "n_tokens": count, "source": corpus.source(number)}
        for number, (name, count) in enumerate(zip(corpus.names, corpus.document_tokens, strict=True))
    ]
    _write(store, "documents", schema.DOCUMENTS, documents)
    tokens = [
        {
            "token_id": number,
            "bytes": token,
            "special": number == BOS,
            "piece": SPECIAL if number == BOS else "",
        }
        for number, token in enumerate(corpus.vocabulary)
    ]
    _write(store, "vocabulary", schema.VOCABULARY, tokens)
    whole = [
        {"context_idx": number, "token_ids": row[row >= 0].tolist()}
        for number, row in enumerate(corpus.token_ids)
    ]
    _write(store, "contexts", schema.CONTEXTS, whole)


def _write_sae(
    store: AtlasStore,
    slug: str,
    corpus: Corpus,
    events: Events,
    *,
    n_features: int,
    hostile: Sequence[str],
    rng: np.random.Generator,
) -> None:
    features = pa.schema([schema.FEATURE_IDX, *FEATURE_COLUMNS])
    rows = [_feature_row(corpus, events, feature) for feature in range(n_features)]
    _write(store, "features", features, rows, slug)
    examples = [row for feature in range(n_features) for row in _example_rows(corpus, events, feature)]
    _write(store, "examples", schema.EXAMPLES, examples, slug)
    first = [row for row in examples if row["group"] == "top" and row["rank"] == 0]
    _write(store, "effects", schema.EFFECTS, [_effects_row(row) for row in first], slug)
    _write_weights_tables(store, slug, n_features, len(corpus.vocabulary), rng, hostile=hostile)
    explanations = []
    for row in rows:
        if row["firing_tokens"]:
            first = corpus.vocabulary[row["top_tokens"][0]["token_id"]].decode("utf-8", "replace")
            text = _pick(hostile, row["feature_idx"], f"fires on {first.strip()!r} and similar tokens")
            explanations.append(
                {
                    "feature_idx": row["feature_idx"],
                    "text": text,
                    "method": "made up",
                    "score": None,
                    "score_name": "",
                }
            )
    _write(store, "explanations", schema.EXPLANATIONS, explanations, slug)
    _write(store, "report", schema.REPORT, _report_rows(corpus, rows), slug)


def _feature_row(corpus: Corpus, events: Events, feature: int) -> dict:
    part = events.of(feature)
    values = events.activation[part]
    tokens = corpus.token_ids[events.context[part], events.position[part]]
    n_tokens = max(int(np.count_nonzero(corpus.counted)), 1)
    lower, upper = _wilson(values.size, n_tokens)
    top = [
        {
            "token_id": int(token),
            "count": int((tokens == token).sum()),
            "value": float(values[tokens == token].mean()),
        }
        for token in np.unique(tokens)
    ]
    histogram: list[dict] = []
    if values.size:
        edges = np.linspace(0, float(values.max()) * 1.001, 11).astype(np.float32)
        counts, _ = np.histogram(values, edges)
        histogram = [
            {"lower": float(edges[i]), "upper": float(edges[i + 1]), "count": int(counts[i])}
            for i in range(10)
            if counts[i]
        ]
    return {
        "feature_idx": feature,
        "firing_tokens": int(values.size),
        "firing_contexts": int(np.unique(events.context[part]).size),
        "activation_density": values.size / n_tokens,
        "density_lower": lower,
        "density_upper": upper,
        "max_activation": float(values.max()) if values.size else 0.0,
        "mean_activation": float(values.mean()) if values.size else None,
        "activation_histogram": histogram,
        "top_tokens": sorted(top, key=lambda token: (-token["count"], -token["value"], token["token_id"])),
        "sources": _source_rows(corpus, corpus.document_idx[events.context[part], events.position[part]]),
    }


def _source_rows(corpus: Corpus, documents: np.ndarray) -> list[dict]:
    """The densest sources, given the document of every firing of a feature."""
    tokens = Counter(corpus.source(int(document)) for document in corpus.document_idx[corpus.counted])
    counts = Counter(corpus.source(int(document)) for document in documents)
    rows = [{"name": name, "count": count, "value": count / tokens[name]} for name, count in counts.items()]
    return sorted(rows, key=lambda row: (-row["value"], row["name"]))[:8]


def _wilson(count: int, total: int) -> tuple[float, float]:
    z = 1.959963984540054
    share = count / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * (share * (1 - share) / total + z * z / (4 * total * total)) ** 0.5
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _example_rows(corpus: Corpus, events: Events, feature: int) -> Iterator[dict]:
    part = events.of(feature)
    values = events.activation[part]
    if not values.size:
        return
    order = part.start + np.lexsort((np.arange(values.size), -values))
    _, first = np.unique(events.context[order], return_index=True)
    distinct = order[np.sort(first)]
    for rank, event in enumerate(distinct[:TOP]):
        yield _example(corpus, events, int(event), "top", rank)
    bounds = np.linspace(0, float(values.max()), INTERVALS + 1).astype(np.float32)
    for number in range(INTERVALS):
        lower, upper = float(bounds[number]), float(bounds[number + 1])
        inside = [int(e) for e in distinct if lower < events.activation[e] <= upper]
        for rank, event in enumerate(inside[:PER_INTERVAL]):
            yield {
                **_example(corpus, events, event, "interval", rank),
                "interval": number,
                "interval_lower": lower,
                "interval_upper": upper,
            }
    for rank, event in enumerate(np.sort(distinct)[:RANDOM]):
        yield _example(corpus, events, int(event), "random", rank)
    silent = {**_example(corpus, events, int(distinct[0]), "near_miss", 0), "activation": 0.0}
    yield {**silent, "activations": [0.0] * len(silent["activations"])}


def _example(corpus: Corpus, events: Events, event: int, group: str, rank: int) -> dict:
    context, position = int(events.context[event]), int(events.position[event])
    feature = int(events.feature[event])
    owner = corpus.document_idx[context]
    low, high = position, position + 1
    while low > max(0, position - BEFORE) and owner[low - 1] == owner[position]:
        low -= 1
    while high < min(CONTEXT_SIZE, position + AFTER + 1) and owner[high] == owner[position]:
        high += 1
    part = events.of(feature)
    strengths = np.zeros(CONTEXT_SIZE, np.float32)
    here = events.context[part] == context
    strengths[events.position[part][here]] = events.activation[part][here]
    return {
        "feature_idx": feature,
        "group": group,
        "interval": -1,
        "interval_lower": 0.0,
        "interval_upper": 0.0,
        "rank": rank,
        "activation": float(events.activation[event]),
        "context_idx": context,
        "position": position,
        "document_idx": int(owner[position]),
        "copies": 1 + rank % 3,
        "peak": position - low,
        "token_ids": corpus.token_ids[context, low:high].tolist(),
        "activations": strengths[low:high].tolist(),
    }


def _write_weights_tables(
    store: AtlasStore,
    slug: str,
    n_features: int,
    n_tokens: int,
    rng: np.random.Generator,
    *,
    hostile: Sequence[str],
) -> None:
    logits, neighbours, coords = [], [], []
    for feature in range(n_features):
        effects = np.sort(rng.normal(0, 0.4, 20)).astype(np.float32)
        tokens = rng.choice(n_tokens, size=20, replace=False)
        entries = [
            {"token_id": int(token), "count": 0, "value": float(value)}
            for token, value in zip(tokens, effects, strict=True)
        ]
        edges = np.linspace(-1.6, 1.6, 17)
        counts, _ = np.histogram(rng.normal(0, 0.4, n_tokens), edges)
        bins = [
            {"lower": edges[i], "upper": edges[i + 1], "count": int(counts[i])}
            for i in range(16)
            if counts[i]
        ]
        logits.append(
            {
                "feature_idx": feature,
                "positive_logits": entries[:9:-1],
                "negative_logits": entries[:10],
                "logit_histogram": bins,
                "logit_kurtosis": feature / 4 - 1,
                "logit_skew": None if feature == 5 else feature / 8 - 1,
                "raw_positive_logits": [{**entry, "value": entry["value"] + 2} for entry in entries[:9:-1]],
                "raw_negative_logits": [{**entry, "value": entry["value"] - 2} for entry in entries[:10]],
            }
        )
        others = rng.permutation(n_features)[:11]
        cosines = np.sort(rng.uniform(-0.1, 0.9, 11))[::-1]
        pairs = zip([other for other in others if other != feature][:10], cosines, strict=False)
        neighbours.append(
            {
                "feature_idx": feature,
                "neighbours": [
                    {"feature_idx": int(other), "value": float(cosine)} for other, cosine in pairs
                ],
            }
        )
        cluster = feature % 5 - 1
        x, y = rng.normal(0, 0.5, 2) + np.array([cluster * 2, cluster % 2 * 3])
        coords.append({"feature_idx": feature, "x": float(x), "y": float(y), "cluster": cluster})
    _write(store, "logits", schema.LOGITS, logits, slug)
    _write(store, "weights", schema.WEIGHTS, [_weights_row(feature) for feature in range(n_features)], slug)
    _write(store, "neighbours", schema.NEIGHBOURS, neighbours, slug)
    _write(store, "coords", schema.COORDS, coords, slug)
    _write(store, "clusters", schema.CLUSTERS, _clusters(coords, hostile), slug)


def _effects_row(example: dict) -> dict:
    length = len(example["token_ids"])
    listed = [{"token_id": token, "measured": 0.5, "direct": None} for token in example["token_ids"][:3]]
    return {
        "feature_idx": example["feature_idx"],
        "rank": example["rank"],
        "effects": [None] + [0.25] * (length - 1)
        if example["position"] == example["peak"]
        else [0.25] * length,
        "raised": listed,
        "lowered": [{**entry, "measured": -0.5} for entry in listed],
    }


def _weights_row(feature: int) -> dict:
    return {
        "feature_idx": feature,
        "encoder_norm": 1 + feature / 10,
        "decoder_norm": 1.0,
        "encoder_decoder_cosine": 1 - feature / 100,
        "encoder_bias": -feature / 10,
        "threshold": feature / 20,
        "neuron_alignment": 0.25,
        "top_neurons": [{"dimension": feature % 16, "value": -0.25, "share": 0.125}],
    }


def _clusters(coords: list[dict], hostile: Sequence[str]) -> list[dict]:
    rows = []
    for cluster in sorted({row["cluster"] for row in coords} - {-1}):
        members = np.array([(row["x"], row["y"]) for row in coords if row["cluster"] == cluster])
        x, y = np.median(members, axis=0)
        label = _pick(hostile, cluster, f"group {cluster}")
        rows.append({"cluster": cluster, "label": label, "size": len(members), "x": float(x), "y": float(y)})
    return rows


def _report_rows(corpus: Corpus, rows: list[dict]) -> list[dict]:
    n_tokens = max(int(np.count_nonzero(corpus.counted)), 1)
    fired = [row for row in rows if row["firing_tokens"]]
    figures = [
        ("n_tokens", "tokens", n_tokens, "tokens"),
        ("l0", "L0", sum(row["firing_tokens"] for row in rows) / n_tokens, "count"),
        ("explained_variance", "explained variance", 0.871, "fraction"),
        ("mse", "mean squared error", 0.042, "none"),
        ("cosine", "mean cosine", 0.953, "cosine"),
        ("alive", "alive features", len(fired), "count"),
        ("dead", "dead features", len(rows) - len(fired), "count"),
        ("dense", "dense features", sum(row["activation_density"] > 0.1 for row in rows), "count"),
    ]
    return [
        {
            "metric": metric,
            "label": label,
            "value": float(value),
            "unit": unit,
            "doc": f"{label}, over {n_tokens} counted tokens (made up for tests).",
        }
        for metric, label, value, unit in figures
    ]


def _write_postings(store: AtlasStore, corpus: Corpus, saes: Sequence[str], n_features: int) -> None:
    found: dict[tuple[str, str], list[tuple[float, int, int]]] = {}
    for number, slug in enumerate(saes):
        for row in store.read("explanations", slug, ["feature_idx", "text"]).to_pylist():
            terms = words(row["text"])
            for term in terms:
                found.setdefault(("word", term), []).append((1 / len(terms), number, row["feature_idx"]))
        columns = ["feature_idx", "max_activation", "top_tokens"]
        for row in store.read("features", slug, columns).to_pylist():
            for token in row["top_tokens"]:
                text = corpus.vocabulary[token["token_id"]].decode("utf-8", "replace")
                weight = token["value"] / row["max_activation"]
                found.setdefault(("token", text), []).append((weight, number, row["feature_idx"]))
    rows = []
    for (kind, term), postings in sorted(found.items()):
        ordered = sorted(postings, key=lambda posting: (-posting[0], posting[1], posting[2]))
        rows.append(
            {
                "term": term,
                "field": kind,
                "sae": [p[1] for p in ordered],
                "feature_idx": [p[2] for p in ordered],
                "weight": [p[0] for p in ordered],
            }
        )
    _write(store, "postings", schema.POSTINGS, rows)


def _write_vectors(store: AtlasStore, n_features: int) -> None:
    """A vector for every word of an explanation and every feature, without any meaning."""
    rows = store.read("postings", columns=["field", "term"]).to_pylist()
    terms = sorted({search_key(row["term"]) for row in rows if row["field"] == "word"} - {""})
    names = [(term, -1) for term in terms] + [("", number) for number in range(n_features)]
    vectors = np.random.default_rng(0).integers(-127, 128, (len(names), 64))
    table = [
        {"term": term, "number": number, "vector": vector}
        for (term, number), vector in zip(names, vectors.tolist(), strict=True)
    ]
    _write(store, "vectors", schema.VECTORS, table)
