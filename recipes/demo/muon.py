"""Muon, an optimiser for weight matrices: each step is the momentum's nearest orthogonal matrix.

Written out in float32: `torch.optim.Muon` orthogonalises in bfloat16, which most CPUs emulate (a hundred
times slower). Method and coefficients: Keller Jordan, "Muon: An optimizer for hidden layers in neural
networks" (2024).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration: it drives all singular values into about [0.7, 1.2]."""

ITERATIONS = 5


def orthogonalise(matrix: torch.Tensor) -> torch.Tensor:
    """`matrix` with every singular value moved to about 1 (Newton-Schulz iteration); same shape."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


class Muon:
    """One optimiser shared by `size` equal workers: each orthogonalises every `size`-th matrix."""

    def __init__(
        self,
        matrices: Sequence[torch.nn.Parameter],
        *,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
        rank: int = 0,
        size: int = 1,
        add_over_workers: Callable[[torch.Tensor], object] | None = None,
    ) -> None:
        """`add_over_workers` sums a flat tensor over all workers in place (needed when `size` > 1)."""
        self.matrices = list(matrices)
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.rank, self.size = rank, size
        self._add = add_over_workers
        self._buffers = [torch.zeros_like(matrix) for matrix in self.matrices]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Apply the gradients of all matrices and clear them; all workers must hold equal gradients."""
        update = torch.zeros(sum(matrix.numel() for matrix in self.matrices))
        start = 0
        for number, (matrix, buffer) in enumerate(zip(self.matrices, self._buffers, strict=True)):
            buffer.mul_(self.momentum).add_(matrix.grad)
            if number % self.size == self.rank:
                direction = orthogonalise(matrix.grad + self.momentum * buffer)
                update[start : start + matrix.numel()] = direction.flatten()
            start += matrix.numel()
        if self._add is not None:
            self._add(update)
        start = 0
        for matrix in self.matrices:
            direction = update[start : start + matrix.numel()].view_as(matrix)
            # Scaled so that one rate suits matrices of every shape, and AdamW's usual rates.
            matrix.mul_(1 - rate * self.weight_decay).add_(
                direction, alpha=-rate * 0.2 * max(matrix.shape) ** 0.5
            )
            matrix.grad = None
            start += matrix.numel()
