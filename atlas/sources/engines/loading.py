"""Loading a Hugging Face model and its fast tokenizer, with the silent failures made loud."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atlas.errors import InputError, nearest
from atlas.sources.engines.base import ModelFacts
from atlas.sources.engines.same_bits import align_activations
from atlas.sources.tokens import TokenBytes

if TYPE_CHECKING:
    import torch

    from atlas.config import ModelConfig

_WEIGHT_SUFFIXES = (".safetensors", ".bin")
_SHOWN_KEYS = 3
_CONTEXT_NAMES = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "max_sequence_length",
)
_UNKNOWN_CONTEXT = 2048


@dataclass(frozen=True)
class LoadedModel:
    """A causal language model, ready to run."""

    model: Any
    """The transformers model, in evaluation mode, on `device`."""
    tokenizer: Any
    """The transformers tokenizer it came with."""
    tokens: TokenBytes
    """The same tokenizer, seen as bytes."""
    text_config: Any
    """Its configuration; of a model with several parts, that of the language part."""
    device: torch.device
    """Where the model lies."""
    facts: ModelFacts
    """What the manifest records of it."""


def load_model(config: ModelConfig, engine: str) -> LoadedModel:
    """Load `config.name` (a folder or a Hub name) for `engine`.

    `InputError` when it cannot be found or read, when weights are missing or of another shape
    (transformers would fill them with random numbers), or when there is no fast tokenizer.
    """
    _check_name(config.name)
    device = resolve_device(config.device)
    tokenizer = _load_tokenizer(config)
    model = _load_weights(config, device)
    tokens = _token_bytes(tokenizer, int(model.get_output_embeddings().weight.shape[0]))
    return LoadedModel(
        model=model,
        tokenizer=tokenizer,
        tokens=tokens,
        text_config=model.config.get_text_config(),
        device=device,
        facts=_facts(config, engine, model, tokens, device),
    )


def resolve_device(name: str) -> torch.device:
    """The torch device for `auto` (cuda, else mps, else cpu) or a device name; `InputError` if absent."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"device {name!r} cannot be used: {_first_line(error)}",
            where="model.device",
            fix="use auto, cpu, cuda, cuda:1 or mps",
        ) from error
    return device


def load_config(config: ModelConfig) -> Any:
    """The model's configuration alone, without its weights; `InputError` if there is none."""
    _check_name(config.name)
    from transformers import AutoConfig

    with _reported(config, "configuration"):
        return AutoConfig.from_pretrained(
            config.name, revision=config.revision, trust_remote_code=config.trust_remote_code
        )


def _check_name(name: str) -> None:
    """Refuse what is plainly meant as a folder but is none, before the Hub is asked for it."""
    path = Path(name)
    if path.is_dir() or not (name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name):
        return
    siblings = [p.name for p in path.parent.iterdir() if p.is_dir()] if path.parent.is_dir() else []
    close = nearest(path.name, siblings, 3)
    raise InputError(
        f"there is no model folder {name!r}",
        where="model.name",
        fix="did you mean " + " or ".join(map(repr, close)) + "?" if close else "check the path",
    )


@contextmanager
def _reported(config: ModelConfig, part: str) -> Iterator[None]:
    """Turn whatever transformers raises while loading `part` into an `InputError`."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        local = Path(config.name).is_dir()
        raise InputError(
            f"the {part} of model {config.name!r} cannot be loaded: {_first_line(error)}",
            where="model.name",
            fix="the folder needs config.json, weights (model.safetensors) and tokenizer.json"
            if local
            else "check the name and revision on the Hub, and the network; or give a folder",
        ) from error


def _load_tokenizer(config: ModelConfig) -> Any:
    from transformers import AutoTokenizer

    with _reported(config, "fast tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(
            config.name, revision=config.revision, trust_remote_code=config.trust_remote_code
        )
    backend = getattr(tokenizer, "backend_tokenizer", None)
    # Without any tokenizer file transformers 5 makes an empty tokenizer and says nothing.
    if backend is None or not backend.get_vocab(with_added_tokens=False):
        raise InputError(
            f"model {config.name!r} has no fast tokenizer (tokenizer.json):"
            " the bytes of its tokens are unknown",
            where="model.name",
            fix="load its tokenizer with transformers (use_fast=True) and save it into the model's folder",
        )
    return tokenizer


def _token_bytes(tokenizer: Any, vocabulary_size: int) -> TokenBytes:
    # TransformerLens, and so every SAE trained through it, takes EOS where there is no BOS.
    bos = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return TokenBytes(
        tokenizer.backend_tokenizer,
        bos_token_id=bos,
        eos_token_id=tokenizer.eos_token_id,
        special_ids=tokenizer.all_special_ids,
        size=vocabulary_size,
    )


def _load_weights(config: ModelConfig, device: torch.device) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    with _reported(config, "weights"), _no_progress_bars():
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            config.name,
            revision=config.revision,
            trust_remote_code=config.trust_remote_code,
            dtype=getattr(torch, config.dtype),
            output_loading_info=True,
        )
        model, report = loaded
        wrong = sorted(
            str(key) for kind in ("missing_keys", "mismatched_keys") for key in report.get(kind, ())
        )
        if wrong:
            more = f" and {len(wrong) - _SHOWN_KEYS} more" if len(wrong) > _SHOWN_KEYS else ""
            raise InputError(
                f"the weights of model {config.name!r} lack, or have in another shape,"
                f" {', '.join(wrong[:_SHOWN_KEYS])}{more}",
                where="model.name",
                fix="the weights do not belong to this config.json: fetch or save both together",
            )
        align_activations(model)
        return model.eval().to(device)


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Loading bars would break the lines of whoever reports progress to the user."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _facts(
    config: ModelConfig, engine: str, model: Any, tokens: TokenBytes, device: torch.device
) -> ModelFacts:
    text_config = model.config.get_text_config()
    return ModelFacts(
        name=config.name,
        engine=engine,
        architecture=str(model.config.model_type),
        n_layers=int(text_config.num_hidden_layers),
        d_model=int(text_config.hidden_size),
        vocabulary_size=int(model.get_output_embeddings().weight.shape[0]),
        context_size=_longest_context(text_config),
        dtype=config.dtype,
        device=device.type,
        weights_sha256=_weights_sha256(config, model),
        tokenizer_sha256=tokens.sha256,
        commit=found.name if (found := _snapshot(config)) is not None else "",
    )


def _longest_context(text_config: Any) -> int:
    """Tokens the model takes; `_UNKNOWN_CONTEXT` where its configuration does not say (ALiBi models)."""
    found = (getattr(text_config, name, None) for name in _CONTEXT_NAMES)
    return next((int(size) for size in found if size), _UNKNOWN_CONTEXT)


def _snapshot(config: ModelConfig) -> Path | None:
    """The folder of a Hub model in the cache, named by its commit; None for a folder of the user's own."""
    from huggingface_hub import try_to_load_from_cache

    if Path(config.name).is_dir():
        return None
    cached = try_to_load_from_cache(config.name, "config.json", revision=config.revision)
    return Path(cached).parent if isinstance(cached, str) else None


def _weights_sha256(config: ModelConfig, model: Any) -> str:
    """Over the weight files (safetensors, else bin); over the parameters where there are no files."""
    folder = _snapshot(config) or Path(config.name)
    for suffix in _WEIGHT_SUFFIXES:
        files = sorted(folder.glob(f"*{suffix}")) if folder.is_dir() else []
        if files:
            return hash_files(files)
    return hash_tensors(model.state_dict())


def hash_files(paths: list[Path]) -> str:
    """SHA-256 hex over the names and bytes of `paths`, in order."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            digest.update(path.name.encode() + b"\0" + hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def hash_tensors(tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 hex over names, shapes and float32 values of `tensors`, sorted by name."""
    import torch

    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}".encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
