"""Stored weights: what is stored is what the graphs compute with, in the bytes that were promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from atlas.export.onnx.files import write_files
from atlas.export.onnx.precision import BLOCK, STEPS, dequantised, quantise, stored
from tests.support import byhand

Array = np.ndarray
PRECISIONS = ("fp32", "fp16", "int8")
IDS = np.random.default_rng(1).integers(0, byhand.VOCABULARY, (2, 7))
FEATURES = np.array([4, 31, 4])
BY_COLUMNS = ("up", "down")
"""Kernels: their blocks lie along the inputs of one output."""


@pytest.fixture(scope="module")
def weights() -> dict[str, Array]:
    return byhand.tensors()


def as_stored(weights: dict[str, Array], precision: str) -> dict[str, Array]:
    """The weights that a graph of `precision` computes with, by the definition of the precision."""
    if precision == "fp32":
        return weights
    found = dict(weights)
    for name, value in weights.items():
        if value.ndim == 2 and precision == "fp16":
            found[name] = value.astype(np.float16).astype(np.float32)
        elif value.ndim == 2:
            found[name] = by_blocks(value.T).T if name in BY_COLUMNS else by_blocks(value)
    return found


def by_blocks(rows: Array) -> Array:
    """`rows` rounded to 8 bits in blocks of 32, block by block."""
    found = np.zeros_like(rows)
    for number, row in enumerate(rows):
        for start in range(0, row.size, 32):
            block = row[start : start + 32]
            scale = float(np.float16(np.abs(block).max() / np.float32(127)))
            if scale < np.abs(block).max() / np.float32(127):
                scale = float(np.nextafter(np.float16(scale), np.float16(np.inf)))
            found[number, start : start + 32] = np.rint(block / np.float32(scale)) * np.float32(scale)
    return found


@pytest.mark.parametrize("precision", PRECISIONS)
def test_graphs_compute_with_what_is_stored(weights: dict[str, Array], precision: str):
    files = write_files(byhand.exported(weights), precision)
    used = as_stored(weights, precision)
    (found,) = byhand.run(files, "sae.activations", {"input_ids": IDS})
    np.testing.assert_allclose(found, byhand.activations(used, IDS), rtol=1e-4, atol=1e-3)
    logits, measured = byhand.run(files, "sae.steer", {"input_ids": IDS, "features": FEATURES})
    wanted = byhand.steer(used, IDS, FEATURES)
    np.testing.assert_allclose(logits, wanted[0], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(measured, wanted[1], rtol=1e-4, atol=1e-3)


def test_less_bits_are_less_exact_and_smaller(weights: dict[str, Array]):
    exact = byhand.activations(weights, IDS)
    errors, sizes = [], []
    for precision in PRECISIONS:
        files = write_files(byhand.exported(weights), precision)
        (found,) = byhand.run(files, "sae.activations", {"input_ids": IDS})
        errors.append(float(np.abs(found - exact).max()))
        sizes.append(sum(len(data) for name, data in files.contents.items() if name.endswith(".bin")))
    assert errors[0] < errors[1] < errors[2]
    assert sizes[0] > 1.9 * sizes[1] > 1.5 * sizes[2]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_only_standard_operators_are_used(weights: dict[str, Array], precision: str):
    """A browser's `MatMulNBits` would unpack all weights for every token."""
    model = stored(byhand.exported(weights).graphs, weights, precision)
    for graph in model.graphs.values():
        assert {each.domain for each in graph.opset_import} == {""}
        assert {node.domain for node in graph.graph.node} == {""}
        assert "DequantizeLinear" not in {node.op_type for node in graph.graph.node}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_graphs_are_valid_and_name_only_what_is_stored(weights: dict[str, Array], precision: str):
    import onnx

    model = stored(byhand.exported(weights).graphs, weights, precision)
    assert set(model.origin) == set(model.tensors)
    assert set(model.origin.values()) == set(weights)
    used: set[str] = set()
    for graph in model.graphs.values():
        known = {each.name for each in (*graph.graph.input, *graph.graph.initializer)}
        for node in graph.graph.node:
            assert set(node.input) <= known, "a value is used before it is made"
            assert not known & set(node.output)
            known |= set(node.output)
        used |= {each.name for each in graph.graph.initializer if not each.int64_data}
        for each in graph.graph.initializer:
            if each.name in model.tensors:
                assert tuple(each.dims) == model.tensors[each.name].shape
                kind = onnx.helper.tensor_dtype_to_np_dtype(each.data_type)
                assert kind == model.tensors[each.name].dtype
    assert used == set(model.tensors)


def test_vectors_stay_as_they_are(weights: dict[str, Array]):
    for precision in PRECISIONS:
        model = stored(byhand.exported(weights).graphs, weights, precision)
        for name in ("up.bias", "sae.b_enc"):
            assert model.tensors[name] is weights[name]


def test_nothing_is_changed_in_place(weights: dict[str, Array]):
    exported = byhand.exported(weights)
    before = {name: graph.SerializeToString() for name, graph in exported.graphs.items()}
    copies = {name: value.copy() for name, value in weights.items()}
    for precision in PRECISIONS:
        write_files(exported, precision)
    assert {name: graph.SerializeToString() for name, graph in exported.graphs.items()} == before
    for name, value in weights.items():
        np.testing.assert_array_equal(value, copies[name])


def test_weights_that_no_half_can_hold_stay_whole(weights: dict[str, Array]):
    large = weights | {"up": weights["up"] * np.float32(1e6)}
    for precision in ("fp16", "int8"):
        model = stored(byhand.exported(large).graphs, large, precision)
        assert model.tensors["up"].dtype == np.float32
        assert "down" not in model.tensors


def test_a_tied_table_is_stored_once(weights: dict[str, Array]):
    model = stored(byhand.exported(weights).graphs, weights, "int8")
    parts = [name for name, origin in model.origin.items() if origin == "embed"]
    assert parts == ["embed.bytes", "embed.scales"]
    assert model.tensors["embed.bytes"].shape == (byhand.VOCABULARY, 4, BLOCK)
    assert model.tensors["up.bytes"].shape == (4, BLOCK, byhand.HIDDEN)
    assert model.tensors["up.scales"].shape == (4, 1, byhand.HIDDEN)


def test_whole_blocks_need_no_cutting():
    given_ = {"w": np.ones((64, 32), np.float32)}
    from onnx import TensorProto, helper

    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 32])],
        [TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[64, 32])],
    )
    model = stored({"g": helper.make_model(graph)}, given_, "int8")
    assert [each.op_type for each in model.graphs["g"].graph.node] == [
        "Cast",
        "Cast",
        "Mul",
        "Reshape",
        "MatMul",
    ]


SMALL = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(1, 70)),
    elements=st.floats(-1e4, 1e4, width=32),
)


@given(rows=SMALL)
@settings(max_examples=60, deadline=None)
def test_a_weight_is_off_by_half_a_step_at_most(rows: Array):
    codes, scales = quantise(rows)
    assert codes.dtype == np.int8
    assert scales.dtype == np.float16
    assert codes.min() >= -STEPS
    found = dequantised(codes, scales, rows.shape[1])
    steps = np.repeat(scales.astype(np.float64)[..., 0], BLOCK, axis=1)[:, : rows.shape[1]]
    assert (np.abs(found.astype(np.float64) - rows) <= 0.5 * steps * (1 + 1e-5) + 1e-30).all()


@given(rows=SMALL)
@settings(max_examples=30, deadline=None)
def test_scales_are_no_larger_than_they_must_be(rows: Array):
    _, scales = quantise(rows)
    blocks = -(-rows.shape[1] // BLOCK)
    for number, row in enumerate(rows):
        for block in range(blocks):
            largest = np.abs(row[block * BLOCK : (block + 1) * BLOCK]).max()
            smaller = np.nextafter(scales[number, block, 0], np.float16(0)).astype(np.float64)
            assert smaller * STEPS < largest or scales[number, block, 0] <= np.float16(2.0**-24)


def test_zeros_and_padding_are_exact():
    codes, scales = quantise(np.zeros((3, 40), np.float32))
    assert not codes.any()
    assert (scales > 0).all(), "a scale of zero would divide by it"
    codes, _ = quantise(np.ones((1, 33), np.float32))
    assert not codes[0, 1, 1:].any()


def test_signs_are_symmetric():
    rows = np.random.default_rng(3).normal(size=(4, 64)).astype(np.float32)
    codes, scales = quantise(rows)
    turned, same = quantise(-rows)
    np.testing.assert_array_equal(codes, -turned)
    np.testing.assert_array_equal(scales, same)
