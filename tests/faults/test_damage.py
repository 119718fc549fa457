"""A flipped bit or a missing end, in any file: noticed and named, never a traceback, nothing wrong is read.

What is finished (dataset, site) is `atlas check`'s to notice. What a build reads (model, SAE, text, an
unfinished pass) is noticed by the build: it refuses, or it knows that these are not the inputs of before.
"""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from atlas.check import check_dataset, check_site
from atlas.cli import main
from atlas.configfile import load_config
from atlas.errors import EXIT_CHECK, EXIT_INPUT, AtlasError, InputError
from atlas.pipeline.job import Job
from atlas.store import AtlasStore
from atlas.stream.checkpoint import Checkpoint, Counts
from tests.faults.conftest import circle_for_a_map
from tests.support import models
from tests.support.changes import size
from tests.support.projects import Project, tree

pytestmark = pytest.mark.slow

DATASET_FLIPS, SITE_FLIPS, INPUT_FLIPS, COMMIT_FLIPS = 20, 20, 30, 150
"""Random single-bit flips per file."""
CUTS = 3
"""Random truncations per file, beside those to nothing, to one byte, and by one byte."""
FLIPS_WANTED, CUTS_WANTED = 2000, 200

Damage = tuple[str, bytes]
"""What was done, and the content that it gives."""


def flips(content: bytes, count: int, seed: int) -> Iterator[Damage]:
    """`content` with one bit flipped: in its first and last byte, and at random; an empty file has none."""
    if not content:
        return
    places = random.Random(seed)  # noqa: S311 - seeded test data
    bits = [0, len(content) * 8 - 1, *(places.randrange(len(content) * 8) for _ in range(count - 2))]
    for bit in bits:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit}", bytes(damaged)


def cuts(content: bytes, seed: int, count: int = CUTS) -> Iterator[Damage]:
    """`content` without its end."""
    places = random.Random(seed)  # noqa: S311 - seeded test data
    lengths = {0, 1, len(content) - 1} | {
        places.randrange(len(content)) for _ in range(count if content else 0)
    }
    for length in sorted(length for length in lengths if 0 <= length < len(content)):
        yield f"{length} bytes", content[:length]


def each_damage(folder: Path, count: int) -> Iterator[tuple[str, str, Path, bytes]]:
    """(file, what was done, path, damaged content) of all files; each is put back when it is done with."""
    for number, (name, content) in enumerate(sorted(tree(folder).items())):
        path = folder / name
        for what, damaged in [*flips(content, count, number), *cuts(content, number)]:
            path.write_bytes(damaged)
            yield name, what, path, damaged
        path.write_bytes(content)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished project of three features; every test leaves it as it was."""
    folder = tmp_path_factory.mktemp("damage")
    models.write_model(folder / "work/model", "gpt2", n_layer=2)
    project = Project(folder / "work", Path("model"))
    size(3, umap_neighbors=2)(project)
    project.config["corpus"]["tokens"] = 200
    with circle_for_a_map():
        assert project.build() == 0
    return project


@dataclass(frozen=True)
class Part:
    """A finished folder and who checks it."""

    folder: Callable[[Project], Path]
    check: Callable[[Path], list[str]]
    flips: int


PARTS = {
    "dataset": Part(lambda project: project.data, check_dataset, DATASET_FLIPS),
    "site": Part(lambda project: project.site, check_site, SITE_FLIPS),
}


@pytest.mark.parametrize("name", PARTS)
def test_whatever_happens_to_a_finished_file_the_check_names_it(name: str, built: Project):
    part = PARTS[name]
    folder = part.folder(built)
    for file, what, _, _ in each_damage(folder, part.flips):
        problems = part.check(folder)
        assert any(file in problem for problem in problems), f"{what} of {file}: {problems}"
    assert part.check(folder) == []


@pytest.mark.parametrize("name", PARTS)
def test_the_command_says_so_with_exit_code_5(
    name: str, built: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = PARTS[name].folder(built)
    seen = {}
    for file, what, _, _ in each_damage(folder, 2):
        # Once for each kind of file and of damage.
        kind = (Path(file).suffix or file, what.split()[0])
        if kind in seen:
            continue
        seen[kind] = file
        code = main(["check", str(folder)])
        said = capfd.readouterr()
        if code != EXIT_CHECK:
            # Without these files the folder is no dataset and no site any more.
            assert (code, file) == (EXIT_INPUT, "manifest.json"), (what, said.err)
        assert file in said.out + said.err
        assert "Traceback" not in said.err
    assert len(seen) >= 4
    assert main(["check", str(folder)]) == 0


def test_reading_a_damaged_table_is_an_error_that_names_it(built: Project):
    for file, what, _, _ in each_damage(built.data, 4):
        with pytest.raises(AtlasError) as caught:
            read_everything(built.data)
        assert file in caught.value.where, what


def read_everything(data: Path) -> None:
    store = AtlasStore.open(data)
    for key in store.manifest.tables:
        sae, _, table = key.rpartition("/")
        store.read(table, sae or None)


# --- what a build reads ----------------------------------------------------------------------------


UNCLEAR = "refused, but not by name"


def pass_digest(project: Project, damaged: Path) -> str:
    """Digest of the pass that would come next; or the error that refuses `damaged` at once."""
    try:
        return Job(load_config(project.path)).stream_digest
    except AtlasError as error:
        return str(error) if damaged.name in f"{error.where} {error}" else UNCLEAR


def inputs_of(project: Project) -> list[Path]:
    """Every file that decides what the pass computes."""
    files = [*(project.folder / "model").iterdir(), *(project.folder / "sae").iterdir()]
    return sorted([*files, project.folder / "text.txt"])


def test_no_damaged_input_is_taken_for_the_one_of_before(built: Project):
    """By the hash of the file: before anything is opened, the pass is known to be due again."""
    recorded = AtlasStore.open(built.data).manifest.stages["stream"]
    assert Job(load_config(built.path)).stream_digest == recorded
    for number, path in enumerate(inputs_of(built)):
        content = path.read_bytes()
        for what, damaged in [*flips(content, INPUT_FLIPS, number), *cuts(content, number)]:
            path.write_bytes(damaged)
            assert pass_digest(built, path) not in {recorded, UNCLEAR}, f"{what} of {path}"
        path.write_bytes(content)
    assert Job(load_config(built.path)).stream_digest == recorded


@pytest.mark.usefixtures("layout_without_threads")
@pytest.mark.parametrize("what", ["flip", "cut"])
@pytest.mark.parametrize(
    "name",
    ["model/config.json", "model/model.safetensors", "model/tokenizer.json", "model/tokenizer_config.json",
     "sae/cfg.json", "sae/sae_weights.safetensors", "text.txt"],
)  # fmt: skip
def test_a_build_from_a_damaged_input_refuses_or_records_other_inputs(
    name: str, what: str, built: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = AtlasStore.open(built.data).manifest
    shutil.copytree(built.folder, tmp_path / "work")
    content = (built.folder / name).read_bytes()
    damage = list(flips(content, 3, len(name)) if what == "flip" else cuts(content, len(name), 1))
    for number, (where, damaged) in enumerate(damage):
        (tmp_path / "work" / name).write_bytes(damaged)
        code = main(["build", str(tmp_path / "work/site_config.yaml")])
        said = capfd.readouterr().err
        assert "Traceback" not in said
        assert code in {0, EXIT_INPUT}, f"{name}, {where}: {said}"
        if code == EXIT_INPUT:
            assert said.count("error: ") == 1
            continue
        now = AtlasStore.open(tmp_path / "work/build/data").manifest
        assert now.stages["stream"] != before.stages["stream"], (number, where)
        assert main(["check", str(tmp_path / "work/site_config.yaml")]) == 0


def test_a_damaged_config_is_read_as_it_stands_or_refused(built: Project):
    content = built.path.read_bytes()
    whole = load_config(built.path).config
    same = 0
    for _, damaged in [*flips(content, 200, 1), *cuts(content, 1, 40)]:
        built.path.write_bytes(damaged)
        with contextlib.suppress(InputError):
            same += load_config(built.path).config == whole
    built.path.write_bytes(content)
    # A bit of a space or of a line end may mean the same.
    assert same <= 10


# --- an unfinished pass ------------------------------------------------------------------------------


def test_a_damaged_commit_is_discarded_with_a_note(tmp_path: Path):
    state = {
        "counts": np.arange(40, dtype=np.int64),
        "values": np.linspace(0, 1, 60, dtype=np.float32).reshape(6, 10),
        "nothing": np.zeros((0, 3), dtype=np.uint64),
    }
    folder = tmp_path / "commit"
    Checkpoint(folder).save(state, Counts(100, 90, 7), "0" * 64, {"model": {"name": "tiny"}})
    assert Checkpoint(folder).load() is not None
    whole = tree(folder)
    assert len(whole) == 2
    for number, (name, content) in enumerate(sorted(whole.items())):
        for what, damaged in [*flips(content, COMMIT_FLIPS, number), *cuts(content, number, 20)]:
            for other, data in whole.items():
                folder.mkdir(parents=True, exist_ok=True)
                (folder / other).write_bytes(damaged if other == name else data)
            checkpoint = Checkpoint(folder)
            assert checkpoint.load() is None, f"{what} of {name}"
            assert len(checkpoint.notes) == 1
            assert "discarded" in checkpoint.notes[0]
            assert not (folder / "pass.json").exists()


def test_there_is_enough_of_it(built: Project):
    """The figures of the reliability plan: what the tests above do together, by the files there are."""
    contents = {name: list(tree(part.folder(built)).values()) for name, part in PARTS.items()}
    contents["inputs"] = [path.read_bytes() for path in inputs_of(built)]
    each = {"dataset": DATASET_FLIPS, "site": SITE_FLIPS, "inputs": INPUT_FLIPS}
    flipped = sum(each[name] * sum(map(bool, files)) for name, files in contents.items())
    cut = sum(len(list(cuts(content, 0))) for files in contents.values() for content in files)
    assert flipped + 2 * COMMIT_FLIPS >= FLIPS_WANTED
    assert cut >= CUTS_WANTED
    kinds = {Path(name).suffix for part in PARTS.values() for name in tree(part.folder(built))}
    assert kinds >= {".parquet", ".json", ".html", ".js", ".css", ".svg"}
