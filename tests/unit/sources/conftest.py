"""Session fixtures: models and engines are written and opened once for all tests of the sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atlas.config import ModelConfig
from tests.support import models

ModelFolder = Callable[[str], Path]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tests run side by side; sums have one order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """`model_folder("gpt2")` is the folder of a tiny random model of that family."""
    root = tmp_path_factory.mktemp("models")

    def folder(family: str) -> Path:
        path = root / family
        return path if path.is_dir() else models.write_model(path, family)

    return folder


@pytest.fixture(scope="session")
def engine_of(model_folder: ModelFolder) -> Callable[[str, str], Any]:
    """`engine_of("gpt2", "transformers")` is an open engine on that family's model."""
    from atlas import plugins

    opened: dict[tuple[str, str], Any] = {}

    def engine(family: str, name: str = "transformers") -> Any:
        key = (family, name)
        if key not in opened:
            config = ModelConfig(name=str(model_folder(family)), engine=name, device="cpu")
            opened[key] = plugins.load("atlas.engines", name).open(config)
        return opened[key]

    return engine


@pytest.fixture
def gpt2(engine_of: Callable[[str, str], Any]) -> Any:
    """Engine transformers on the tiny GPT-2."""
    return engine_of("gpt2", "transformers")
