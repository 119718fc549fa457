"""A synthetic atlas with a toy model to run, and the toy's dense reference."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

import atlas
from tests.support.synthetic import make_atlas
from tests.support.toy_model import ToyModel, add_toy_model


@dataclass
class Toy:
    data: atlas.Atlas
    model: ToyModel

    def strong(self, slug: str, strengths: dict[int, float]) -> dict[int, float]:
        """Strengths in units of the largest activation → in activation units."""
        return {f: s * self.data.feature(f, slug)["max_activation"] for f, s in strengths.items()}


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    store = make_atlas(tmp_path_factory.mktemp("toy") / "data")
    model = add_toy_model(store)
    return Toy(atlas.open(store.path), model)


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> atlas.Atlas:
    """An atlas of one SAE with its toy model, whose site stores directions as halves."""
    store = make_atlas(tmp_path_factory.mktemp("alone") / "data", saes=("alpha",))
    add_toy_model(store, directions="float16")
    return atlas.open(store.path)
