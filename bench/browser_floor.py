"""What the arithmetic of a model costs at least: its matrix products alone, in the runtime of sites."""

from __future__ import annotations

import base64
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.static_host import hosted

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RUNTIME = Path(__file__).resolve().parents[1] / "themes/default/node_modules/onnxruntime-web/dist"
"""Where `npm ci` puts the package that the theme's runtime is taken from."""

Product = tuple[int, int]
"""(inputs, outputs) of a weight matrix."""

_RUN = """async ([graph, rows, width, repeats]) => {
  const ort = await import("/ort.wasm.min.mjs");
  ort.env.wasm.numThreads = 1;
  const bytes = Uint8Array.from(atob(graph), (one) => one.charCodeAt(0));
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  const x = new ort.Tensor("float32", new Float32Array(rows * width).fill(0.5), [rows, width]);
  const times = [];
  for (let run = 0; run <= repeats; run += 1) {
    const begun = performance.now();
    await session.run({ x });
    times.push(performance.now() - begun);
  }
  return times.slice(1);
}"""


def products(width: int, blocks: int, features: int) -> Iterator[Product]:
    """The matrix products of `blocks` blocks of GPT-2's shape, in order, and of an encoder behind them."""
    for _ in range(blocks):
        # Queries, keys and values, each as wide as the stream; what attention writes; the two of the MLP.
        yield from [(width, width)] * 4
        yield from [(width, 4 * width), (4 * width, width)]
    yield width, features


def flops(shapes: list[Product], rows: int) -> int:
    """Operations of `shapes` on so many tokens: a multiplication and an addition for every weight."""
    return 2 * rows * sum(inputs * outputs for inputs, outputs in shapes)


def graph(shapes: list[Product]) -> bytes:
    """An ONNX model that multiplies its input x with one matrix of each of `shapes` after the other.

    The matrices are written as a constant each, which the runtime makes whole when it opens the graph: every
    one lies in memory of its own, as a model's weights do, and none is downloaded.
    """
    from onnx import TensorProto, helper

    nodes: list[Any] = []
    shape_of: dict[str, Any] = {}
    last = "x"
    for number, (inputs, outputs) in enumerate(shapes):
        name = f"shape{number}"
        shape_of[name] = helper.make_tensor(name, TensorProto.INT64, [2], [inputs, outputs])
        value = helper.make_tensor("value", TensorProto.FLOAT, [1], [1 / inputs])
        nodes.append(helper.make_node("ConstantOfShape", [name], [f"w{number}"], value=value))
        nodes.append(helper.make_node("MatMul", [last, f"w{number}"], [f"y{number}"]))
        last = f"y{number}"
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", shapes[0][0]])
    y = helper.make_tensor_value_info(last, TensorProto.FLOAT, ["rows", shapes[-1][1]])
    made = helper.make_graph(nodes, "products", [x], [y], list(shape_of.values()))
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return model.SerializeToString()


def measure(browser: Browser, shapes: Mapping[str, list[Product]], rows: int, runs: int) -> dict[str, float]:
    """Name → milliseconds of its products on `rows` tokens, one thread, the median of `runs` runs.

    `FileNotFoundError` where the package is not installed.
    """
    if not (RUNTIME / "ort.wasm.min.mjs").is_file():
        raise FileNotFoundError(f"{RUNTIME}: run `make` first, it installs the front end's packages")
    found: dict[str, float] = {}
    with hosted(RUNTIME) as address:
        for name, one in shapes.items():
            page = browser.new_page()
            page.goto(f"{address}ort.wasm.min.mjs")
            packed = base64.b64encode(graph(one)).decode("ascii")
            found[name] = statistics.median(page.evaluate(_RUN, [packed, rows, one[0][0], runs]))
            page.close()
    return found
