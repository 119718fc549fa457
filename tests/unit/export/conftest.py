"""Session fixtures: each family is exported once, with every kind of SAE."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support import models
from tests.support.exported import KINDS, Exported, layers, one_thread, open_engine, write_kind

ExportOf = Callable[[str], Exported]


@pytest.fixture(scope="session", autouse=True)
def calm() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="session")
def export_of(tmp_path_factory: pytest.TempPathFactory) -> ExportOf:
    """`export_of("gpt2")` is a tiny model of that family with all `KINDS` of SAEs."""
    root = tmp_path_factory.mktemp("exported")
    made: dict[str, Exported] = {}

    def export(family: str) -> Exported:
        if family not in made:
            engine = open_engine(models.write_model(root / family, family, **layers(family)))
            saes = {slug: write_kind(root / f"{family}-saes", slug, engine) for slug in KINDS}
            made[family] = Exported(engine, saes)
        return made[family]

    return export


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A tiny GPT-2 with an SAE and a transcoder, whose graphs are made when they are first asked for."""
    root = tmp_path_factory.mktemp("small")
    engine = open_engine(models.write_model(root / "gpt2", "gpt2", **layers("gpt2")))
    return Exported(engine, {slug: write_kind(root, slug, engine) for slug in ("standard", "transcoder")})
