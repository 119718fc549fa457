"""Cutting graphs, on a traced model written by hand: what is left computes what it computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir
import pytest
from onnx import helper, numpy_helper

from atlas.export.onnx.graphs import external_names
from atlas.export.onnx.surgery import Draft, Port, draft_of, finished, without_cache, without_edits
from tests.support.exported import run_draft

Array = np.ndarray
ROWS, WIDTH = 20, 6
RANDOM = np.random.default_rng(0)
EMBEDDING = RANDOM.normal(size=(ROWS, WIDTH)).astype(np.float32)
WEIGHT = RANDOM.normal(size=(WIDTH, WIDTH)).astype(np.float32)
BIAS = RANDOM.normal(size=WIDTH).astype(np.float32)
LONG_BIAS = np.arange(ROWS, dtype=np.float32)
TABLE = RANDOM.normal(size=(1, 3, WIDTH, WIDTH)).astype(np.float32)

TOKENS = Port("input_ids", ("batch", "sequence"), "int64")
CACHE = Port("past_key.0", ("batch", 1, "past", WIDTH))
EDITS = [Port(f"edit.{hook}", ("batch", "sequence", WIDTH)) for hook in ("a", "b")]
LOGITS = Port("logits", ("batch", "sequence", ROWS))
PRESENT = Port("present_key.0", ("batch", 1, "total", WIDTH))


def traced(change: Any = None) -> Any:
    """embedding → hook a → x @ W.T + b → keys → hook b → logits, with the embedding tied."""
    node = helper.make_node
    nodes = [
        node("Gather", ["embedding", "input_ids"], ["hook.a"], axis=0),
        node("Add", ["hook.a", "edit.a"], ["edited"]),
        node("Shape", ["edit.b"], ["batch"], start=0, end=1),
        node("Shape", ["edit.a"], ["length"], start=1, end=2),
        node("Shape", ["past_key.0"], ["before"], start=2, end=3),
        node("Reshape", ["edited", "flat"], ["rows"]),
        node("Gemm", ["rows", "weight", "bias"], ["keys"], transB=1, doc_string="/home/me/model.py"),
        node("Concat", ["batch", "one", "length", "width"], ["shape"], axis=0),
        node("Reshape", ["keys", "shape"], ["new"]),
        node("Concat", ["past_key.0", "new"], ["present_key.0"], axis=2),
        node("ReduceSum", ["present_key.0", "axes"], ["seen"], keepdims=1),
        node("Squeeze", ["seen", "one"], ["summed"]),
        node("Cast", ["before"], ["shift"], to=onnx.TensorProto.FLOAT),
        node("Add", ["edited", "summed"], ["moved"]),
        node("Add", ["moved", "shift"], ["hook.b"]),
        node("Add", ["hook.b", "edit.b"], ["last"]),
        node("Transpose", ["embedding"], ["unembedding"], perm=[1, 0]),
        node("MatMul", ["last", "unembedding"], ["product"]),
        node("Add", ["product", "long"], ["logits"]),
        node("Identity", ["long"], ["unused"]),
    ]
    held = {"embedding": EMBEDDING, "weight": WEIGHT, "bias": BIAS, "long": LONG_BIAS}
    held |= {"one": np.array([1]), "width": np.array([WIDTH]), "flat": np.array([-1, WIDTH])}
    held |= {"axes": np.array([2])}
    if change is not None:
        change(nodes, held)
    inputs, outputs = (
        [as_info(port) for port in ports]
        for ports in (
            (TOKENS, CACHE, *EDITS),
            (LOGITS, PRESENT, *(Port(f"hook.{hook}", EDITS[0].dims) for hook in "ab")),
        )
    )
    initializers = [numpy_helper.from_array(value, name) for name, value in held.items()]
    graph = helper.make_graph(nodes, "traced", inputs, outputs, initializer=initializers)
    opset = helper.make_opsetid("", 20)
    return onnx_ir.from_proto(helper.make_model(graph, ir_version=10, opset_imports=[opset]))


def as_info(port: Port) -> Any:
    types = {"float32": onnx.TensorProto.FLOAT, "int64": onnx.TensorProto.INT64}
    return helper.make_tensor_value_info(port.name, types[port.dtype], list(port.dims))


def by_hand(ids: Array, past: Array, edits: dict[str, Array]) -> tuple[Array, Array]:
    """Logits and keys, from the docstring of `traced`."""
    edited = EMBEDDING[ids] + edits.get("a", 0)
    keys = np.concatenate([past, (edited @ WEIGHT.T + BIAS)[:, None]], axis=2)
    last = edited + keys.sum(2) + past.shape[2] + edits.get("b", 0)
    return last @ EMBEDDING.T + LONG_BIAS, keys


IDS = np.array([[3, 1, 4], [1, 5, 9]])
PAST = RANDOM.normal(size=(2, 1, 2, WIDTH)).astype(np.float32)
EDIT = RANDOM.normal(size=(2, 3, WIDTH)).astype(np.float32)


def close(found: list[Array], expected: tuple[Array, ...]):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def kinds(draft: Draft) -> list[str]:
    return [node.op_type for node in draft.nodes]


def test_the_draft_computes_the_same():
    feed = {"input_ids": IDS, "past_key.0": PAST, "edit.a": EDIT, "edit.b": -EDIT}
    found = run_draft(draft_of(traced()), [TOKENS, CACHE, *EDITS], [LOGITS, PRESENT], feed)
    close(found, by_hand(IDS, PAST, {"a": EDIT, "b": -EDIT}))


def test_a_gemm_is_a_matmul_and_its_weight_lies_ready():
    draft = draft_of(traced())
    assert "Gemm" not in kinds(draft)
    assert np.array_equal(draft.tensors["weight"], WEIGHT.T)
    assert draft.tensors["weight"].flags.c_contiguous


def test_a_gemm_that_needs_no_turning():
    def change(nodes: list[Any], held: dict[str, Array]) -> None:
        gemm = next(node for node in nodes if node.op_type == "Gemm")
        gemm.attribute[0].i = 0
        held["weight"] = WEIGHT.T.copy()

    draft = draft_of(traced(change))
    assert np.array_equal(draft.tensors["weight"], WEIGHT.T)
    feed = {"input_ids": IDS, "past_key.0": PAST, "edit.a": EDIT, "edit.b": EDIT}
    close(
        run_draft(draft, [TOKENS, CACHE, *EDITS], [LOGITS, PRESENT], feed),
        by_hand(IDS, PAST, {"a": EDIT, "b": EDIT}),
    )


def test_a_gemm_without_a_bias():
    """So torch writes it down where all biases are zero."""

    def change(nodes: list[Any], held: dict[str, Array]) -> None:
        del next(node for node in nodes if node.op_type == "Gemm").input[2]
        del held["bias"]

    draft = draft_of(traced(change))
    assert "Gemm" not in kinds(draft)
    feed = {"input_ids": IDS, "past_key.0": PAST, "edit.a": EDIT, "edit.b": EDIT}
    _, keys = run_draft(draft, [TOKENS, CACHE, *EDITS], [LOGITS, PRESENT], feed)
    np.testing.assert_allclose(keys[:, 0, 2:], (EMBEDDING[IDS] + EDIT) @ WEIGHT.T, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "value"), [("transA", 1), ("alpha", 0.5), ("beta", 2.0)])
def test_any_other_gemm_is_an_error(name: str, value: Any):
    def change(nodes: list[Any], _held: Any) -> None:
        gemm = next(node for node in nodes if node.op_type == "Gemm")
        gemm.attribute.append(helper.make_attribute(name, value))

    with pytest.raises(ValueError, match="keys: a Gemm that is more than"):
        draft_of(traced(change))


def test_a_tied_weight_stays_one_by_its_rows():
    draft = draft_of(traced())
    assert np.array_equal(draft.tensors["embedding"], EMBEDDING)
    assert kinds(draft).count("Transpose") == 1


def test_sizes_are_read_off_one_input_each():
    draft = draft_of(traced())
    sources = {node.input[0] for node in draft.nodes if node.op_type == "Shape"}
    assert sources == {"input_ids", "past_key.0"}


def test_several_sizes_at_once_are_an_error():
    def change(nodes: list[Any], _held: Any) -> None:
        nodes[3].attribute[1].i = 3

    with pytest.raises(ValueError, match=r"edit\.a: several sizes"):
        draft_of(traced(change))


def test_equal_tables_are_one():
    def change(nodes: list[Any], held: dict[str, Array]) -> None:
        held |= {"table.1": TABLE, "table.2": TABLE.copy(), "other": TABLE + 1}
        names = ("table.1", "table.2", "other")
        nodes += [helper.make_node("ReduceMax", [name], [f"max.{name}"], keepdims=0) for name in names]

    draft = draft_of(traced(change))
    assert {name for name in draft.tensors if "t" in name[:2]} == {"table.1", "other"}
    read = [node.input[0] for node in draft.nodes if node.op_type == "ReduceMax"]
    assert read == ["table.1", "table.1", "other"]


@pytest.mark.parametrize("kept", ["a", "b"])
def test_edits_that_are_not_kept_are_gone(kept: str):
    whole = draft_of(traced())
    ports = [port for port in EDITS if port.name.endswith(kept)]
    feed = {"input_ids": IDS, "past_key.0": PAST, f"edit.{kept}": EDIT}
    found = run_draft(
        without_edits(whole, (kept,), ("a", "b")), [TOKENS, CACHE, *ports], [LOGITS, PRESENT], feed
    )
    close(found, by_hand(IDS, PAST, {kept: EDIT}))
    # The draft itself is as it was, so that other graphs can be cut from it.
    feed = {"input_ids": IDS, "past_key.0": PAST, "edit.a": EDIT, "edit.b": EDIT}
    close(
        run_draft(whole, [TOKENS, CACHE, *EDITS], [LOGITS, PRESENT], feed),
        by_hand(IDS, PAST, {"a": EDIT, "b": EDIT}),
    )


def test_without_a_cache_nothing_came_before():
    draft = without_cache(without_edits(draft_of(traced()), (), ("a", "b")))
    expected = by_hand(IDS, PAST[:, :, :0], {})
    close(run_draft(draft, [TOKENS], [LOGITS, PRESENT], {"input_ids": IDS}), expected)
    hook = Port("hook.b", EDITS[0].dims)
    found = run_draft(draft, [TOKENS], [hook], {"input_ids": IDS})
    close(found, ((expected[0] - LONG_BIAS) @ np.linalg.pinv(EMBEDDING.T),))


def test_a_finished_graph_holds_what_it_needs():
    draft = without_cache(without_edits(draft_of(traced()), (), ("a", "b")))
    first = finished(draft, [TOKENS], [Port("hook.a", EDITS[0].dims)], "first")
    assert [node.op_type for node in first.graph.node] == ["Gather"]
    assert external_names(first) == ["embedding"]
    assert [value.name for value in first.graph.input] == ["input_ids"]
    assert first.graph.input[0].type.tensor_type.shape.dim[1].dim_param == "sequence"

    whole = finished(draft, [TOKENS], [LOGITS], "whole")
    assert external_names(whole) == ["embedding", "weight", "long"]
    inside = {value.name for value in whole.graph.initializer} - {"embedding", "weight", "long"}
    assert inside == {"bias", "one", "width", "flat", "axes", "size.past"}
    assert "Identity" not in {node.op_type for node in whole.graph.node}


def test_a_finished_graph_says_nothing_of_where_it_was_made():
    draft = without_cache(without_edits(draft_of(traced()), (), ("a", "b")))
    whole = finished(draft, [TOKENS], [LOGITS], "whole")
    assert b"/home/me" not in whole.SerializeToString()
    assert whole.SerializeToString() == finished(draft, [TOKENS], [LOGITS], "whole").SerializeToString()
    made = [name for node in whole.graph.node for name in node.output]
    assert made == [*(f"v{number + 1}" for number in range(len(made) - 1)), "logits"]


def test_tensors_are_outside_with_type_and_shape():
    draft = without_cache(without_edits(draft_of(traced()), (), ("a", "b")))
    whole = finished(draft, [TOKENS], [LOGITS], "whole")
    for tensor in whole.graph.initializer:
        if tensor.name in draft.tensors:
            assert tensor.data_location == onnx.TensorProto.EXTERNAL
            assert [(entry.key, entry.value) for entry in tensor.external_data] == [("location", tensor.name)]
            assert list(tensor.dims) == list(draft.tensors[tensor.name].shape)
            assert not tensor.raw_data


def test_nodes_may_be_added_in_any_order():
    added = Draft()
    added.add("Neg", ["double"], "negative")
    two = added.constant("two", 2, "float32")
    added.add("Mul", ["hook.a", two], "double")
    whole = without_cache(without_edits(draft_of(traced()), (), ("a", "b")))
    both = whole.joined(added)
    (found,) = run_draft(both, [TOKENS], [Port("negative", EDITS[0].dims)], {"input_ids": IDS})
    assert np.array_equal(found, -2 * EMBEDDING[IDS])
    assert "two" not in whole.constants
