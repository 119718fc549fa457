"""Tiny models of every family and tiny SAEs of every architecture, with weights made here from a seed.

The models are random (so that every hook of every layer differs from every other), the tokenizer is a
byte-level BPE trained on a few sentences. The SAE files are written by hand, not by sae-lens.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

D_MODEL = 32
LAYERS = 3
HEADS = 4
CONTEXT_SIZE = 64
TOKENIZER_SIZE = 300
MODEL_VOCABULARY = 304
"""The embedding has a few rows more than the tokenizer has tokens, as in Pythia."""
END_OF_TEXT = "<|endoftext|>"

SENTENCES = [
    "The quick brown fox jumps over the lazy dog, and the dog does not mind.",
    "def parse(text: str) -> list[str]:\n    return [line.strip() for line in text.splitlines()]\n",
    "Ein Satz mit Umlauten: Öl, Übermut, Ähre. Une phrase accentuée: été, où, garçon.",
    "日本語のテキストと絵文字 🙂 を少し。 Еще немного кириллицы.",
    "if not found:\n        raise ValueError('nothing found')\n",
] * 4

_SIZES = {
    "vocab_size": MODEL_VOCABULARY,
    "hidden_size": D_MODEL,
    "intermediate_size": 64,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT_SIZE,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": None,
}
_WIDE_HEADS = {"head_dim": 12}
"""heads * head_dim = 48, so that `attn.hook_z` is not as wide as the residual stream."""

FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": (
        "GPT2Config",
        {
            "vocab_size": MODEL_VOCABULARY,
            "n_embd": D_MODEL,
            "n_layer": LAYERS,
            "n_head": HEADS,
            "n_positions": CONTEXT_SIZE,
            "bos_token_id": 0,
            "eos_token_id": 0,
        },
    ),
    "gpt_neo": (
        "GPTNeoConfig",
        {
            "vocab_size": MODEL_VOCABULARY,
            "hidden_size": D_MODEL,
            "num_layers": 4,
            "num_heads": HEADS,
            "attention_types": [[["global", "local"], 2]],
            "window_size": 8,
            "max_position_embeddings": CONTEXT_SIZE,
            "bos_token_id": 0,
            "eos_token_id": 0,
        },
    ),
    "gpt_neox": ("GPTNeoXConfig", {k: v for k, v in _SIZES.items() if k != "num_key_value_heads"}),
    "gpt_neox_serial": (
        "GPTNeoXConfig",
        {k: v for k, v in _SIZES.items() if k != "num_key_value_heads"} | {"use_parallel_residual": False},
    ),
    "llama": ("LlamaConfig", _SIZES),
    "mistral": ("MistralConfig", _SIZES | {"sliding_window": 8}),
    "qwen2": ("Qwen2Config", _SIZES),
    "qwen3": ("Qwen3Config", _SIZES | _WIDE_HEADS),
    "gemma": ("GemmaConfig", _SIZES | _WIDE_HEADS),
    "gemma2": ("Gemma2Config", _SIZES | _WIDE_HEADS | {"sliding_window": 8, "query_pre_attn_scalar": 12}),
    "gemma3_text": (
        "Gemma3TextConfig",
        _SIZES | _WIDE_HEADS | {"sliding_window": 8, "query_pre_attn_scalar": 12},
    ),
}
"""Family → (configuration class of transformers, its arguments)."""


def several_parts(text_settings: dict[str, Any]) -> Any:
    """A tiny Gemma 3 with a vision part: the form in which its larger sizes are published."""
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    vision = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
    }
    tokens = {"image_token_index": 303, "boi_token_index": 301, "eoi_token_index": 302}
    config = Gemma3Config(text_config=text_settings, vision_config=vision, mm_tokens_per_image=4, **tokens)
    return Gemma3ForConditionalGeneration(config).eval()


@lru_cache(maxsize=1)
def byte_tokenizer() -> Any:
    """A byte-level BPE of 300 tokens with `<|endoftext|>` as token 0."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TOKENIZER_SIZE,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


def write_tokenizer(folder: Path, **settings: Any) -> Path:
    """Save the byte-level tokenizer as transformers expects it; `settings` go to tokenizer_config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    byte_tokenizer().save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config | settings))
    return folder


def random_model(family: str, seed: int = 0, **changes: Any) -> Any:
    """A transformers model whose every parameter, norms included, is random and of a telling size."""
    import torch
    import transformers

    name, settings = FAMILIES[family]
    config = getattr(transformers, name)(**(settings | changes))
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    generator = torch.Generator().manual_seed(seed)
    for key, value in sorted(model.named_parameters()):
        noise = torch.randn(value.shape, generator=generator)
        is_norm = "norm" in key or "ln_" in key
        # Gemma's norms store their scale less one.
        centre = 1.0 if is_norm and key.endswith("weight") and "gemma" not in family else 0.0
        value.data = centre + (0.3 if is_norm else 0.12) * noise
    model.tie_weights()
    return model


def write_model(folder: Path, family: str, seed: int = 0, **changes: Any) -> Path:
    """Save a random model with the byte-level tokenizer into `folder`."""
    random_model(family, seed, **changes).save_pretrained(folder)
    return write_tokenizer(folder)


# --- SAEs ----------------------------------------------------------------------------------------

SAE_ARCHITECTURES = (
    "standard",
    "gated",
    "topk",
    "jumprelu",
    "matching_pursuit",
    "transcoder",
    "skip_transcoder",
    "jumprelu_transcoder",
    "jumprelu_skip_transcoder",
)
Weights = dict[str, np.ndarray]


def is_transcoder(architecture: str) -> bool:
    return "transcoder" in architecture


def sae_weights(
    architecture: str, d_in: int = D_MODEL, d_sae: int = 80, *, d_out: int | None = None, seed: int = 0
) -> Weights:
    """float32 weights as SAELens names them: W_enc [d_in, d_sae], W_dec [d_sae, d_out or d_in] and so on."""
    rng = np.random.default_rng(seed)
    d_out = d_out or d_in
    weights = {
        "W_enc": rng.normal(0, d_in**-0.5, (d_in, d_sae)),
        "W_dec": rng.normal(0, 0.3, (d_sae, d_out)),
        "b_dec": rng.normal(0, 0.5, d_out),
        "b_enc": rng.normal(-0.2, 0.3, d_sae),
    }
    if architecture == "gated":
        del weights["b_enc"]
        weights["b_gate"] = rng.normal(-0.1, 0.3, d_sae)
        weights["b_mag"] = rng.normal(0, 0.3, d_sae)
        weights["r_mag"] = rng.normal(0, 0.3, d_sae)
    if architecture == "matching_pursuit":
        del weights["W_enc"], weights["b_enc"]
        weights["W_dec"] /= np.linalg.norm(weights["W_dec"], axis=1, keepdims=True)
    if architecture.startswith("jumprelu"):
        # Thresholds of both signs: a negative one must act like zero.
        weights["threshold"] = rng.normal(0.3, 0.3, d_sae)
    if "skip" in architecture:
        weights["W_skip"] = rng.normal(0, 0.2, (d_out, d_in))
    return {name: value.astype(np.float32) for name, value in weights.items()}


def sae_config(architecture: str, d_in: int = D_MODEL, d_sae: int = 80, **changes: Any) -> dict[str, Any]:
    """A cfg.json of SAELens 6; `metadata` in `changes` is merged into the metadata, None removes a key."""
    metadata = {
        "sae_lens_version": "6.54.12",
        "sae_lens_training_version": "6.54.12",
        "model_name": "tiny",
        "hook_name": "blocks.1.hook_resid_pre",
        "prepend_bos": True,
        "context_size": 16,
        "model_from_pretrained_kwargs": {"center_writing_weights": False},
    }
    config: dict[str, Any] = {
        "architecture": architecture,
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": not is_transcoder(architecture),
        "normalize_activations": "none",
        "reshape_activations": "none",
    }
    if architecture == "topk":
        config |= {"k": 7, "rescale_acts_by_decoder_norm": False}
    if architecture == "matching_pursuit":
        config |= {"residual_threshold": 0.1, "max_iterations": 12, "stop_on_duplicate_support": True}
    if is_transcoder(architecture):
        config["d_out"] = d_in
        metadata["hook_name_out"] = "blocks.1.hook_mlp_out"
    metadata |= changes.pop("metadata", {})
    config |= changes
    config["metadata"] = {key: value for key, value in metadata.items() if value is not None}
    return {key: value for key, value in config.items() if value is not None}


def write_sae(
    folder: Path, architecture: str, *, weights: Weights | None = None, seed: int = 0, **changes: Any
) -> Path:
    """Write cfg.json and sae_weights.safetensors; `changes` as in `sae_config`."""
    from safetensors.numpy import save_file

    config = sae_config(architecture, **changes)
    if weights is None:
        size = {"d_in": config["d_in"], "d_sae": config["d_sae"], "d_out": config.get("d_out")}
        weights = sae_weights(architecture, seed=seed, **size)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cfg.json").write_text(json.dumps(config))
    save_file(
        {name: np.ascontiguousarray(value) for name, value in weights.items()},
        folder / "sae_weights.safetensors",
    )
    return folder


# --- what an SAE computes, from the papers' definitions, in float64 --------------------------------


def prepare(config: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """The run-time input normalisations of SAELens."""
    if config["normalize_activations"] == "layer_norm":
        centred = x - x.mean(-1, keepdims=True)
        return centred / (centred.std(-1, ddof=1, keepdims=True) + 1e-5)
    if config["normalize_activations"] == "constant_norm_rescale":
        return x * (x.shape[-1] ** 0.5 / np.linalg.norm(x, axis=-1, keepdims=True))
    return x


def encode(architecture: str, config: dict[str, Any], weights: Weights, x: np.ndarray) -> np.ndarray:
    """[n, d_in] → [n, d_sae] in float64."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    x = prepare(config, x.astype(np.float64))
    if config["apply_b_dec_to_input"]:
        x = x - w["b_dec"]
    return _ENCODERS[architecture](config, w, x)


def _relu(config: dict[str, Any], w: Weights, x: np.ndarray) -> np.ndarray:
    return np.maximum(x @ w["W_enc"] + w["b_enc"], 0)


def _jumprelu(config: dict[str, Any], w: Weights, x: np.ndarray) -> np.ndarray:
    hidden = x @ w["W_enc"] + w["b_enc"]
    return np.where(hidden > w["threshold"], np.maximum(hidden, 0), 0)


def _gated(config: dict[str, Any], w: Weights, x: np.ndarray) -> np.ndarray:
    gate = x @ w["W_enc"] + w["b_gate"] > 0
    magnitude = x @ (w["W_enc"] * np.exp(w["r_mag"])) + w["b_mag"]
    return gate * np.maximum(magnitude, 0)


def _topk(config: dict[str, Any], w: Weights, x: np.ndarray) -> np.ndarray:
    hidden = x @ w["W_enc"] + w["b_enc"]
    if config["rescale_acts_by_decoder_norm"]:
        hidden = hidden * np.linalg.norm(w["W_dec"], axis=-1)
    kth = np.sort(hidden, axis=-1)[:, -config["k"], None]
    return np.where(hidden >= kth, np.maximum(hidden, 0), 0)


def _matching_pursuit(config: dict[str, Any], w: Weights, x: np.ndarray) -> np.ndarray:
    found = np.zeros((len(x), len(w["W_dec"])))
    for row, residual in enumerate(x):
        rest = residual.copy()
        for _ in range(config["max_iterations"]):
            scores = np.maximum(w["W_dec"] @ rest, 0)
            best = int(np.argmax(scores))
            repeated = found[row, best] != 0
            found[row, best] += scores[best]
            rest = rest - scores[best] * w["W_dec"][best]
            if np.linalg.norm(rest) < config["residual_threshold"] or repeated:
                break
    return found


_ENCODERS: dict[str, Callable[[dict[str, Any], Weights, np.ndarray], np.ndarray]] = {
    "standard": _relu,
    "transcoder": _relu,
    "skip_transcoder": _relu,
    "jumprelu": _jumprelu,
    "jumprelu_transcoder": _jumprelu,
    "jumprelu_skip_transcoder": _jumprelu,
    "gated": _gated,
    "topk": _topk,
    "matching_pursuit": _matching_pursuit,
}


def reconstruct(
    architecture: str, config: dict[str, Any], weights: Weights, x: np.ndarray, activations: np.ndarray
) -> np.ndarray:
    """[n, d_in], [n, d_sae] → [n, d_in] in the inputs' own scale (a transcoder: [n, d_out])."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    x, activations = x.astype(np.float64), activations.astype(np.float64)
    if config.get("rescale_acts_by_decoder_norm"):
        activations = activations / np.linalg.norm(w["W_dec"], axis=-1)
    output = activations @ w["W_dec"]
    if architecture != "matching_pursuit" or config["apply_b_dec_to_input"]:
        output = output + w["b_dec"]
    normalisation = "none" if is_transcoder(architecture) else config["normalize_activations"]
    if normalisation == "layer_norm":
        centred = x - x.mean(-1, keepdims=True)
        output = output * centred.std(-1, ddof=1, keepdims=True) + x.mean(-1, keepdims=True)
    if normalisation == "constant_norm_rescale":
        output = output * (np.linalg.norm(x, axis=-1, keepdims=True) / x.shape[-1] ** 0.5)
    return output + x @ w["W_skip"].T if "W_skip" in w else output
