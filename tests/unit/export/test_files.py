"""Files of a model: shared, aligned, of bounded size, and the same every time."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from atlas.export.onnx import files as module
from atlas.export.onnx.files import fitting, graph_file, smallest_size, write_files
from tests.support import byhand
from tests.support.exported import Exported

Array = np.ndarray


@pytest.fixture(scope="module")
def weights() -> dict[str, Array]:
    return byhand.tensors()


def external(data: bytes) -> dict[str, tuple[str, int, int, tuple[int, ...], type]]:
    """Initializer → (file, offset, length, shape, type) of the graph in `data`."""
    found = {}
    for each in onnx.load_from_string(data).graph.initializer:
        place = {entry.key: entry.value for entry in each.external_data}
        if place:
            kind = onnx.helper.tensor_dtype_to_np_dtype(each.data_type)
            found[each.name] = (
                place["location"], int(place["offset"]), int(place["length"]), tuple(each.dims), kind,
            )  # fmt: skip
    return found


def test_every_tensor_lies_where_the_graphs_say(weights: dict[str, Array]):
    files = write_files(byhand.exported(weights), "fp32")
    seen: set[str] = set()
    for name, data in files.contents.items():
        if not name.endswith(".onnx"):
            continue
        for tensor, (file, offset, length, shape, kind) in external(data).items():
            assert file in files.needs[name]
            assert offset % 64 == 0
            content = files.contents[file][offset : offset + length]
            np.testing.assert_array_equal(np.frombuffer(content, kind).reshape(shape), weights[tensor])
            seen.add(tensor)
    assert seen == set(weights)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_tensors_do_not_overlap_and_lie_once(weights: dict[str, Array], precision: str):
    files = write_files(byhand.exported(weights), precision)
    places: dict[str, tuple[str, int, int]] = {}
    for name, data in files.contents.items():
        if name.endswith(".onnx"):
            for tensor, (file, offset, length, *_) in external(data).items():
                assert places.setdefault(tensor, (file, offset, length)) == (file, offset, length)
    ends: dict[str, int] = {}
    for file, offset, length in sorted(places.values()):
        assert offset >= ends.get(file, 0)
        ends[file] = offset + length
    assert ends == {name: len(data) for name, data in files.contents.items() if name.endswith(".bin")}


def test_graphs_load_no_file_that_they_need_in_part(small: Exported):
    """Weights of the layers above the SAE are in files of their own: activations are there sooner."""
    files = write_files(small.model, "fp32")
    for graph in small.model.graphs:
        name = graph_file(graph)
        named = {file for file, *_ in external(files.contents[name]).values()}
        assert set(files.needs[name]) == named
        used = external(files.contents[name])
        for file in named:
            inside = sum(place[2] for place in used.values() if place[0] == file)
            assert inside > 0.9 * len(files.contents[file]) - 64 * len(used)
    first, full = (set(files.needs[graph_file(f"standard.{kind}")]) for kind in ("activations", "steer"))
    assert first < full
    assert full & set(files.needs[graph_file("transcoder.steer")]), "the trunk is shared"


def test_a_file_takes_in_no_more_when_it_is_full(weights: dict[str, Array], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "FILE_BYTES", 130_000)
    files = write_files(byhand.exported(weights), "fp32")
    sizes = [len(data) for name, data in files.contents.items() if name.endswith(".bin")]
    assert len(sizes) > 2
    assert max(sizes) <= 130_000
    (found,) = byhand.run(files, "sae.activations", {"input_ids": np.array([[3, 5]])})
    np.testing.assert_allclose(found, byhand.activations(weights, np.array([[3, 5]])), rtol=1e-4, atol=1e-4)


def test_a_larger_tensor_is_a_file_of_its_own(weights: dict[str, Array], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "FILE_BYTES", 100)
    files = write_files(byhand.exported(weights), "fp32")
    assert sum(name.endswith(".bin") for name in files.contents) == len(weights)


def test_names_are_in_order_of_first_use(weights: dict[str, Array]):
    files = write_files(byhand.exported(weights), "fp32")
    bins = [name for name in files.contents if name.endswith(".bin")]
    assert bins == [f"weights-{number}.bin" for number in range(len(bins))]
    assert list(files.contents)[:2] == ["sae.activations.onnx", "sae.steer.onnx"]
    assert files.size == sum(map(len, files.contents.values()))


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_files_are_the_same_every_time(weights: dict[str, Array], precision: str):
    one, other = (write_files(byhand.exported(weights), precision) for _ in range(2))
    assert one.contents == other.contents
    assert one.needs == other.needs


def test_auto_takes_the_first_precision_that_fits(weights: dict[str, Array], monkeypatch: pytest.MonkeyPatch):
    exported = byhand.exported(weights)
    sizes = {name: write_files(exported, name).size for name in ("fp32", "fp16", "int8")}
    assert sizes["fp32"] > sizes["fp16"] > sizes["int8"]
    for limits, chosen in (
        ({"fp32": sizes["fp32"], "fp16": 0}, "fp32"),
        ({"fp32": sizes["fp32"] - 1, "fp16": sizes["fp16"]}, "fp16"),
        ({"fp32": 0, "fp16": sizes["fp16"] - 1}, "int8"),
    ):
        monkeypatch.setattr(module, "LIMITS", limits)
        assert fitting(exported).precision == chosen


def test_the_smallest_size_is_no_larger_than_the_files(weights: dict[str, Array]):
    exported = byhand.exported(weights)
    for precision in ("fp32", "fp16", "int8"):
        assert smallest_size(exported, precision) <= write_files(exported, precision).size


def test_the_limits_are_those_of_the_guide():
    from pathlib import Path

    guide = Path(__file__).parents[3] / "docs" / "browser-model.md"
    text = guide.read_text(encoding="utf-8")
    for precision, limit in module.LIMITS.items():
        assert f"`{precision}`" in text
        assert f"{limit // 1_000_000} MB" in text
