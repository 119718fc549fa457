"""Step 2: train the language model, a small GPT-2, from scratch on CPU.

    python -m recipes.demo.train_lm --data work/data --out work/model --processes 4 --tokens 25300000

Data parallel over single-threaded processes, which on a CPU is faster than one process with many threads for
a model this small. The result is a Hugging Face folder: fp16 safetensors and a fast tokenizer.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from recipes.demo.muon import Muon
from recipes.demo.prepare import BOS

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel

MIXTURE = {"library_train": 0.50, "tests": 0.12, "topics": 0.06, "other": 0.14, "packages": 0.18}
"""Part of the corpus → share of the training sequences. Parts that are missing give theirs to the others."""

MATRIX_RATE, OTHER_RATE = 0.008, 0.005
"""Peak learning rates: weight matrices (Muon), and embeddings, biases and norms (AdamW)."""


@dataclass(frozen=True)
class Plan:
    """What is trained, and for how long."""

    data: str
    """Folder written by `prepare`."""
    out: str
    """Folder for the model."""
    d_model: int
    layers: int
    heads: int
    context: int
    """Tokens per sequence; position 0 is always BOS."""
    batch: int
    """Sequences per step and process."""
    tokens: int
    """Tokens seen in all."""
    processes: int
    seed: int

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return max(1, self.tokens // (self.batch * self.context * self.processes))


def build_model(plan: Plan, vocabulary: int) -> GPT2LMHeadModel:
    """An untrained GPT-2 without dropout; equal for equal seeds."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(plan.seed)
    config = GPT2Config(
        vocab_size=vocabulary,
        n_positions=plan.context,
        n_embd=plan.d_model,
        n_layer=plan.layers,
        n_head=plan.heads,
        resid_pdrop=0,
        embd_pdrop=0,
        attn_pdrop=0,
        bos_token_id=0,
        eos_token_id=0,
    )
    return GPT2LMHeadModel(config)


def sequences(ids: np.ndarray, count: int, context: int, rng: np.random.Generator) -> torch.Tensor:
    """int64 [count, context + 1] windows at random places of `ids`, their position 0 set to BOS."""
    starts = rng.integers(0, ids.size - context - 1, count)
    windows = np.stack([ids[start : start + context + 1] for start in starts]).astype(np.int64)
    windows[:, 0] = 0
    return torch.from_numpy(windows)


def loss_of(model: GPT2LMHeadModel, windows: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the next token, in nats."""
    logits = model(windows[:, :-1]).logits
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())


@torch.no_grad()
def held_out_loss(model: GPT2LMHeadModel, ids: np.ndarray, context: int, count: int) -> float:
    """Mean loss over `count` windows of `ids`, always the same ones."""
    rng = np.random.default_rng(1)
    blocks = [sequences(ids, min(8, count), context, rng) for _ in range(max(1, count // 8))]
    return float(np.mean([loss_of(model, block).item() for block in blocks]))


def rate_factor(step: int, steps: int) -> float:
    """Share of the peak rate: 30 steps of warm-up, level until 30 % of the way, then linear down to 2 %."""
    done = step / steps
    return min(1.0, (step + 1) / 30) * (1.0 if done < 0.3 else max(0.02, (1 - done) / 0.7))


def load_mixture(folder: Path, context: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Token arrays of the parts that are long enough, and their probabilities (sum 1)."""
    loaded = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in MIXTURE}
    usable = {name: ids for name, ids in loaded.items() if ids.size > context + 2}
    weights = np.array([MIXTURE[name] for name in usable])
    return list(usable.values()), weights / weights.sum()


class Worker:
    """One of `plan.processes` equal workers; all hold the same weights after every step."""

    def __init__(self, plan: Plan, rank: int) -> None:
        """Worker number `rank`; in a team of more than one, `torch.distributed` must be up."""
        self.plan, self.rank = plan, rank
        data = Path(plan.data)
        vocabulary = len(json.loads((data / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"])
        self.model = build_model(plan, vocabulary)
        self.parts, self.weights = load_mixture(data, plan.context)
        self.rng = np.random.default_rng([plan.seed, rank])
        named = dict(self.model.named_parameters())
        matrices = [
            p for name, p in named.items() if p.ndim == 2 and ".wte" not in name and ".wpe" not in name
        ]
        chosen = {id(matrix) for matrix in matrices}
        others = [p for p in named.values() if id(p) not in chosen]
        self.adam = torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.97), weight_decay=0.0)
        team = plan.processes > 1
        self.muon = Muon(
            matrices, rank=rank, size=plan.processes, add_over_workers=_add_over_workers if team else None
        )

    def step(self, number: int) -> float:
        """One optimiser step on this worker's own sequences; returns the mean loss of the team."""
        plan = self.plan
        chosen = self.rng.choice(len(self.parts), plan.batch, p=self.weights)
        windows = [sequences(self.parts[part], 1, plan.context, self.rng) for part in chosen]
        loss = loss_of(self.model, torch.cat(windows))
        loss.backward()
        mean_loss = self._average_gradients(loss.item())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        factor = rate_factor(number, plan.steps)
        for group in self.adam.param_groups:
            group["lr"] = OTHER_RATE * factor
        self.muon.step(MATRIX_RATE * factor)
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        return mean_loss

    def _average_gradients(self, loss: float) -> float:
        if self.plan.processes == 1:
            return loss
        parameters = list(self.model.parameters())
        flat = torch.cat([*(p.grad.flatten() for p in parameters), torch.tensor([loss])])
        _add_over_workers(flat)
        flat /= self.plan.processes
        start = 0
        for parameter in parameters:
            parameter.grad.copy_(flat[start : start + parameter.numel()].view_as(parameter))
            start += parameter.numel()
        return float(flat[-1])

    def save(self) -> None:
        """Write the model in fp16 and its tokenizer as one Hugging Face folder."""
        from transformers import PreTrainedTokenizerFast

        copy.deepcopy(self.model).to(torch.float16).save_pretrained(self.plan.out)
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_file=str(Path(self.plan.data) / "tokenizer.json"),
            bos_token=BOS, eos_token=BOS, unk_token=BOS, pad_token=BOS, model_max_length=self.plan.context,
        )  # fmt: skip
        tokenizer.save_pretrained(self.plan.out)


def _add_over_workers(flat: torch.Tensor) -> None:
    torch.distributed.all_reduce(flat)


def work(rank: int, plan: Plan, meeting_point: str) -> None:
    """The life of one process: train, report now and then, save at the end (worker 0)."""
    torch.set_num_threads(1)
    if plan.processes > 1:
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{meeting_point}", rank=rank, world_size=plan.processes
        )
    worker = Worker(plan, rank)
    held_out = np.load(Path(plan.data) / "library_held_out.npy")
    begun, smoothed = time.monotonic(), None
    for number in range(plan.steps):
        loss = worker.step(number)
        smoothed = loss if smoothed is None else 0.97 * smoothed + 0.03 * loss
        if rank == 0 and (number + 1) % max(1, plan.steps // 30) == 0:
            seconds = time.monotonic() - begun
            now = held_out_loss(worker.model, held_out, plan.context, 16)
            print(
                f"step {number + 1}/{plan.steps}  {seconds:.0f} s  train {smoothed:.3f}  held out {now:.3f}"
            )
    if rank == 0:
        worker.save()
        print(f"held-out loss {held_out_loss(worker.model, held_out, plan.context, 160):.3f} nats per token")
    if plan.processes > 1:
        torch.distributed.destroy_process_group()


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and write the model folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--d-model", type=int, default=192)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--batch", type=int, default=6, help="sequences per step and process")
    parser.add_argument("--tokens", type=int, default=25_300_000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    plan = Plan(**vars(parser.parse_args(arguments)))
    if plan.processes == 1:
        work(0, plan, "")
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(work, (plan, f"{folder}/meeting-point"), nprocs=plan.processes)


if __name__ == "__main__":
    main()
