"""Inputs of the pass benchmark: a random GPT-2, an SAE with realistic densities, Zipf tokens; by seed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from atlas.config import SiteConfig
from atlas.sources.corpora.base import Document
from atlas.sources.engines.base import ModelFacts
from atlas.sources.engines.families import family_of
from atlas.sources.engines.loading import LoadedModel
from atlas.sources.engines.transformers import TransformersEngine
from atlas.sources.saes.base import SaeFacts
from atlas.sources.saes.coder import SaeLensCoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.sources.engines.base import Engine
    from atlas.sources.saes.base import SparseCoder

DECADES, DEAD = 3.0, 0.05
"""Densities are log-uniform over so many powers of ten; this share of the features never fires."""

ZIPF = 1.2
"""Exponent of the token frequencies."""

_BOS = 0
_CALIBRATION_TOKENS = 8192
_FEATURES_AT_ONCE = 1024


@dataclass(frozen=True)
class Shape:
    """The sizes of one measurement."""

    name: str
    """For the table of results."""
    n_layers: int
    """Blocks of the model."""
    hook_name: str
    """Where the SAE reads: the forward pass ends there."""
    d_model: int
    """Width of the residual stream, and what the SAE reads."""
    vocabulary: int
    """Token ids."""
    d_sae: int
    """Features."""
    tokens: int
    """Tokens to read, BOS included."""
    l0: float = 40.0
    """Features that fire on a token, on average."""
    context_size: int = 128
    """Tokens per context, BOS included."""
    batch_contexts: int = 16
    """Contexts per forward pass, of the floor and of the pass alike."""

    @property
    def n_contexts(self) -> int:
        """Whole contexts that hold `tokens`."""
        return -(-self.tokens // self.context_size)


SMALL = Shape("4 layers x d 256, 4,096 features", 4, "blocks.3.hook_resid_post", 256, 8192, 4096, 131_072)
GPT2 = Shape(
    "GPT-2 small (8 of 12 layers, d 768), 24,576 features",
    12, "blocks.7.hook_resid_post", 768, 50_257, 24_576, 102_400,
)  # fmt: skip
SHAPES = {"small": SMALL, "gpt2": GPT2}


@dataclass(frozen=True)
class Workload:
    """Everything a measurement reads, ready in memory."""

    shape: Shape
    """Its sizes."""
    engine: Engine
    """The model, opened as the product opens it."""
    sae: SparseCoder
    """The SAE, encoding as the product encodes."""
    plain: tuple[torch.Tensor, torch.Tensor]
    """(bias [d_sae], W_enc [d_in, d_sae]): the SAE as one addmm and a ReLU, for the floor."""
    token_ids: NDArray[np.int32]
    """[n_contexts, context_size] exactly the rows the pass packs."""

    def config(self, *, losses: bool = True) -> SiteConfig:
        """A configuration with every option of the pass at its default, but maybe without the losses."""
        corpus = {
            "kind": "text", "paths": ["bench"], "tokens": int(self.token_ids.size),
            "context_size": self.shape.context_size,
        }  # fmt: skip
        return SiteConfig.model_validate(
            {
                "title": "Benchmark",
                "model": {"name": "bench", "engine": "transformers"},
                "saes": [{"folder": "bench"}],
                "corpus": corpus,
                "pass": {"batch_contexts": self.shape.batch_contexts}
                | ({} if losses else {"loss_tokens": 0}),
            }
        )


class Words:
    """A tokenizer of made-up words; id 0 is BOS."""

    bos_token_id = _BOS
    eos_token_id = None
    special_ids = frozenset({_BOS})
    sha256 = "0" * 64

    def __init__(self, vocabulary_size: int) -> None:
        self.vocabulary_size = vocabulary_size

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        """Nothing to encode: the corpus comes as token ids."""
        return [[] for _ in texts]

    def vocabulary(self) -> list[tuple[bytes, bool, str]]:
        """(bytes, special, spelling) of every token."""
        return [
            (b"" if not idx else b" w%d" % idx, not idx, f"w{idx}") for idx in range(self.vocabulary_size)
        ]


@dataclass
class RowsAsDocuments:
    """A corpus whose documents each fill one context."""

    token_ids: NDArray[np.int32]
    """[n_contexts, context_size], BOS first."""
    description: str = "Random tokens with Zipf frequencies."

    def documents(self) -> Iterator[Document]:
        """One document a row, without its BOS."""
        for number, row in enumerate(self.token_ids):
            yield Document(f"row {number}", "", tuple(row[1:].tolist()))

    def fingerprint(self) -> str:
        """Names nothing: a benchmark builds once."""
        return "0" * 64


def zipf_rows(shape: Shape, seed: int) -> NDArray[np.int32]:
    """[n_contexts, context_size] ids, BOS first; the first rows are the same for any number of tokens."""
    rng = np.random.default_rng(seed)
    drawn = np.minimum(rng.zipf(ZIPF, size=(shape.n_contexts, shape.context_size)), 10**9)
    rows = (drawn % (shape.vocabulary - 1) + 1).astype(np.int32)
    rows[:, 0] = _BOS
    return rows


def densities(d_sae: int, l0: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """[d_sae] how often each feature shall fire; sums to about `l0`, 0 for dead features."""
    density = 10 ** rng.uniform(-DECADES, 0, d_sae)
    density[rng.random(d_sae) < DEAD] = 0
    return np.minimum(density * (l0 / density.sum()), 0.5)


def make(folder: Path, shape: Shape, seed: int = 0) -> None:
    """Write the model, the SAE and the tokens of a workload into `folder`."""
    torch.manual_seed(seed)
    model = _gpt2(shape)
    torch.save(model.state_dict(), folder / "model.pt")
    np.save(folder / "tokens.npy", zipf_rows(shape, seed))
    sample = zipf_rows(replace(shape, tokens=_CALIBRATION_TOKENS), seed + 1)
    engine = _engine(model, shape)
    with torch.inference_mode():
        parts = torch.from_numpy(sample.astype(np.int64)).split(shape.batch_contexts)
        read = [engine.activations(part, [shape.hook_name])[shape.hook_name] for part in parts]
        # BOS is masked, so that it must not shape the SAE either.
        inputs = torch.cat(read)[:, 1:].reshape(-1, shape.d_model)
        centre = inputs.mean(dim=0)
        directions = torch.nn.functional.normalize(torch.randn(shape.d_sae, shape.d_model), dim=1)
        wanted = densities(shape.d_sae, shape.l0, np.random.default_rng(seed))
        bias = -thresholds(inputs - centre, directions, wanted)
    torch.save({"directions": directions, "bias": bias, "centre": centre}, folder / "sae.pt")
    (folder / "shape.json").write_text(json.dumps(asdict(shape)), encoding="utf-8")


def load(folder: Path, tokens: int | None = None) -> Workload:
    """The workload `make` wrote, with other `tokens` if given: the same tokens first."""
    shape = Shape(**json.loads((folder / "shape.json").read_text(encoding="utf-8")))
    rows = np.load(folder / "tokens.npy")
    if tokens is not None:
        shape = replace(shape, tokens=tokens)
        rows = rows[: shape.n_contexts]
    model = _gpt2(shape)
    model.load_state_dict(torch.load(folder / "model.pt", mmap=True), assign=True)
    weights = torch.load(folder / "sae.pt")
    return Workload(shape, _engine(model, shape), *_coder(shape, **weights), rows)


def load_peer(folder: Path) -> Workload:
    """The workload `peer_sae_dashboard.py make` wrote."""
    from sae_lens import SAE
    from transformers import GPT2LMHeadModel

    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    rows = np.load(folder / "tokens.npy")
    shape = Shape(
        "SAEDashboard's inputs", meta["n_layers"], meta["hook"], meta["d_model"], meta["d_vocab"],
        meta["d_sae"], rows.size, meta["measured_l0"], meta["n_ctx"],
    )  # fmt: skip
    model = cast("Any", GPT2LMHeadModel).from_pretrained(folder / "model_hf").eval()
    sae: Any = SAE.load_from_disk(str(folder / "sae"), device="cpu")
    weights = {"directions": sae.W_enc.detach().T, "bias": sae.b_enc.detach(), "centre": sae.b_dec.detach()}
    return Workload(shape, _engine(model, shape), *_coder(shape, **weights), rows)


def _gpt2(shape: Shape) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        n_layer=shape.n_layers, n_embd=shape.d_model, n_head=shape.d_model // 64,
        vocab_size=shape.vocabulary, n_positions=shape.context_size, bos_token_id=_BOS, eos_token_id=_BOS,
    )  # fmt: skip
    return GPT2LMHeadModel(config).eval()


def _engine(model: Any, shape: Shape) -> Engine:
    facts = ModelFacts(
        "bench", "transformers", "gpt2", shape.n_layers, shape.d_model, shape.vocabulary,
        shape.context_size, "float32", "cpu", "0" * 64, "0" * 64,
    )  # fmt: skip
    words = cast("Any", Words(shape.vocabulary))
    loaded = LoadedModel(model, None, words, model.config, torch.device("cpu"), facts)
    return TransformersEngine(loaded, family_of("gpt2"))


def thresholds(inputs: torch.Tensor, directions: torch.Tensor, density: NDArray[np.float64]) -> torch.Tensor:
    """[d_sae] what each feature's projection exceeds on its share of `inputs`; huge where that is 0.

    Shares too small for the sample are read off the normal distribution that has its mean and spread.
    """
    from statistics import NormalDist

    n = len(inputs)
    rank = np.clip(((1 - density) * (n - 1)).astype(np.int64), 0, n - 1)
    tail = np.array([NormalDist().inv_cdf(1 - max(share, 1e-9)) for share in density.tolist()])
    found: list[torch.Tensor] = []
    for start in range(0, len(directions), _FEATURES_AT_ONCE):
        part = slice(start, start + _FEATURES_AT_ONCE)
        projected = inputs @ directions[part].T
        rows = torch.from_numpy(rank[part])[None]
        quantile = projected.sort(dim=0).values.gather(0, rows)[0]
        spread, mean = torch.std_mean(projected, dim=0)
        rare = mean + spread * torch.from_numpy(tail[part]).float()
        found.append(
            torch.where(torch.from_numpy(density[part] * n < 1), torch.maximum(rare, quantile), quantile)
        )
    found_all = torch.cat(found)
    found_all[torch.from_numpy(density == 0)] = 1e4
    return found_all


def _coder(
    shape: Shape, directions: torch.Tensor, bias: torch.Tensor, centre: torch.Tensor
) -> tuple[SparseCoder, tuple[torch.Tensor, torch.Tensor]]:
    """The product's coder, and the same SAE as one addmm."""
    from sae_lens import StandardSAE, StandardSAEConfig

    config = StandardSAEConfig(d_in=shape.d_model, d_sae=shape.d_sae, apply_b_dec_to_input=True)
    sae = StandardSAE(config)
    sae.W_enc.data, sae.W_dec.data = directions.T.contiguous(), directions.clone()
    sae.b_enc.data, sae.b_dec.data = bias, centre
    facts = SaeFacts(
        "Benchmark", "bench", "standard", shape.hook_name, shape.d_model, shape.d_sae, "float32", "bench",
        True, shape.context_size, "0" * 64,
    )  # fmt: skip
    W_enc = sae.W_enc.data
    return SaeLensCoder(sae, facts, centred=False), (bias - centre @ W_enc, W_enc)
