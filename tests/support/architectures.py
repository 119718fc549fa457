"""One small SAE of every architecture that sae-lens has, weights set by hand, and an atlas over all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support import models

D_SAE = 14
DEAD, DENSE, TWIN = 0, 1, 2
"""A feature that never fires, one that fires on nearly everything, and one equal to `DENSE` but weaker."""
SIZE = 16
HOOK = "blocks.1.hook_resid_pre"

TEXTS = {
    "code/a parser.txt": (
        "def parse(text):\n    if not text:\n        raise ValueError('empty')\n    return text.split()\n"
    ),
    "prose/b fox.txt": "The quick brown fox jumps over the lazy dog, and the dog does not mind it at all.",
    "prose/c empty.txt": "",
    "prose/d Öl.txt": "Ein Satz mit Umlauten: Öl, Übermut, Ähre. 日本語のテキストと絵文字 🙂 を少し。",
    "prose/e short.txt": "x",
    "prose/f kirillisch.txt": "Еще немного кириллицы — и всё. Une phrase accentuée: été, où, garçon.",
    "prose/g long.txt": (
        "Nobody had told the lighthouse keeper that the sea would be louder in winter; he wrote it down"
        " himself, beside the wind, the light and the number of gulls. Later pages speak of little else."
    ),
    "code/h code.txt": (
        "class Reader:\n    def __init__(self, path):\n        self.path = path\n\n    def lines(self):\n"
        "        with open(self.path) as file:\n            yield from file\n"
    ),
}
"""Documents of every kind; no two share a beginning, so that no two tokens see the same context."""

PASS = {
    "batch_contexts": 8, "top_examples": 5, "interval_count": 5, "interval_examples": 2, "random_examples": 3,
    "window_before": 5, "window_after": 4, "sample_tokens": 320, "counter_examples": 3,
}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """An SAE that the project must show."""

    architecture: str
    """As sae-lens calls it, of the model in memory."""
    hook_name: str = HOOK
    config: dict[str, Any] = field(default_factory=dict)
    """Changes to cfg.json."""
    trained: str = ""
    """The training architecture that sae-lens writes as this one."""


SHOWN: dict[str, Shown] = {
    "standard": Shown("standard"),
    "standard-layer-norm": Shown("standard", config={"normalize_activations": "layer_norm"}),
    "standard-constant-norm": Shown(
        "standard", "blocks.2.hook_resid_pre", {"normalize_activations": "constant_norm_rescale"}
    ),
    "gated": Shown("gated", "blocks.1.hook_resid_mid"),
    "topk": Shown("topk", "blocks.0.hook_mlp_out", {"k": 4}),
    "topk-rescaled": Shown("topk", "blocks.2.hook_resid_pre", {"k": 4, "rescale_acts_by_decoder_norm": True}),
    "jumprelu": Shown("jumprelu", "blocks.1.hook_attn_out"),
    "batchtopk": Shown("jumprelu", "blocks.1.hook_resid_post", trained="batchtopk"),
    "matryoshka": Shown("jumprelu", trained="matryoshka_batchtopk"),
    "matching-pursuit": Shown("matching_pursuit", config={"max_iterations": 5}),
    "transcoder": Shown("transcoder", "blocks.1.hook_resid_mid"),
    "skip-transcoder": Shown("skip_transcoder", "blocks.1.hook_resid_mid"),
    "jumprelu-transcoder": Shown("jumprelu_transcoder", "blocks.1.hook_resid_mid"),
    "jumprelu-skip-transcoder": Shown("jumprelu_skip_transcoder", "blocks.1.hook_resid_mid"),
}
"""Slug → SAE."""

REFUSED = ("abstopk", "temporal", "batchtopk", "matryoshka_batchtopk")
"""Architectures (the last two: their training checkpoints) that no atlas can show."""


def write(slug: str, folder: Path) -> Path:
    """The SAE `slug` as files."""
    case = SHOWN[slug]
    seed = list(SHOWN).index(slug)
    if case.trained:
        return _saved_after_training(case, folder, seed)
    changes = case.config | {"d_sae": D_SAE, "metadata": {"hook_name": case.hook_name}}
    weights = hand_set(case.architecture, models.sae_weights(case.architecture, d_sae=D_SAE, seed=seed))
    return models.write_sae(folder, case.architecture, weights=weights, **changes)


def hand_set(architecture: str, weights: models.Weights) -> models.Weights:
    """`weights` with a dead, a dense and a twin feature, the others neither always on nor always off."""
    weights["b_dec"] *= 0.1
    bias = next((name for name in ("b_gate", "b_enc") if name in weights), None)
    if bias is None:
        return weights
    weights["W_enc"][:, TWIN] = weights["W_enc"][:, DENSE]
    weights["W_enc"] *= 2
    weights[bias][[DEAD, DENSE, TWIN]] = -1000, 8, 3
    if architecture == "gated":
        weights["b_mag"][[DENSE, TWIN]] = 8, 3
    return weights


def _saved_after_training(case: Shown, folder: Path, seed: int) -> Path:
    """What sae-lens writes of a training SAE for inference: its own conversion."""
    sae = _training_sae(case.trained)
    _fill(sae, hand_set("standard", models.sae_weights("standard", d_sae=D_SAE, seed=seed)))
    sae.topk_threshold.fill_(0.6)
    for name, value in (("model_name", "tiny"), ("hook_name", case.hook_name), ("prepend_bos", True)):
        setattr(sae.cfg.metadata, name, value)
    sae.save_inference_model(str(folder))
    return folder


def _training_sae(architecture: str) -> Any:
    import sae_lens

    size: dict[str, Any] = {"d_in": models.D_MODEL, "d_sae": D_SAE, "k": 4}
    if architecture == "batchtopk":
        return sae_lens.BatchTopKTrainingSAE(sae_lens.BatchTopKTrainingSAEConfig(**size))
    config = sae_lens.MatryoshkaBatchTopKTrainingSAEConfig(**size, matryoshka_widths=[5, D_SAE])
    return sae_lens.MatryoshkaBatchTopKTrainingSAE(config)


def _fill(sae: Any, weights: models.Weights) -> None:
    import torch

    with torch.no_grad():
        for name, value in weights.items():
            getattr(sae, name).copy_(torch.from_numpy(value))


def write_refused(architecture: str, folder: Path) -> Path:
    """A checkpoint of an architecture of `REFUSED`, saved by sae-lens itself."""
    import sae_lens
    from sae_lens.registry import get_sae_class

    folder.mkdir(parents=True, exist_ok=True)
    if "batchtopk" in architecture:
        sae = _training_sae(architecture)
    else:
        kind, config = get_sae_class(architecture)
        own = {"abstopk": {"k": 4}, "temporal": {"kval_topk": 4, "n_heads": 1, "bottleneck_factor": 1}}
        sae = kind(config(d_in=models.D_MODEL, d_sae=D_SAE, **own[architecture]))
    assert isinstance(sae, sae_lens.SAE | sae_lens.TrainingSAE)
    sae.cfg.metadata.hook_name = HOOK
    sae.save_model(str(folder))
    return folder


def write_project(folder: Path, change: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """A model, every SAE of `SHOWN`, the texts and a config over all of them; the path of the config."""
    models.write_model(folder / "model", "gpt2")
    for slug in SHOWN:
        write(slug, folder / "saes" / slug)
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    config: dict[str, Any] = {
        "title": "Every architecture",
        "model": {"name": "model", "device": "cpu"},
        "saes": [{"slug": slug, "folder": f"saes/{slug}"} for slug in SHOWN],
        "corpus": {"kind": "text", "paths": ["prose", "code"], "context_size": SIZE, "tokens": 10_000},
        "pass": dict(PASS),
        "enrich": {"umap_neighbors": 4, "neighbours": 5, "logit_effects": 6, "effect_examples": 2},
    }
    if change is not None:
        change(config)
    path = folder / "site_config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def names() -> list[str]:
    """The documents in the order of the corpus: folder by folder, as the config names them."""
    return sorted(TEXTS, key=lambda name: (not name.startswith("prose/"), name))


def documents(tokenizer: Any) -> list[list[int]]:
    """The token ids of every document."""
    return [tokenizer(TEXTS[name], add_special_tokens=False)["input_ids"] for name in names()]


def sources() -> list[str]:
    """The source of every document that is not empty: its folder."""
    return [name.partition("/")[0] for name in names() if TEXTS[name]]
