"""The model in a real browser, on a toy model whose every number follows from its definition."""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import atlas
from atlas.check.shard import decode_shard
from atlas.config import RenderConfig
from atlas.render.output import Output
from atlas.render.site import render_site
from atlas.store.letters import ENCODING, MARK, from_letters, to_letters
from tests.support import requirements
from tests.support.in_browser import ModelRefusedError, PageModel
from tests.support.synthetic import BOS, SPECIAL, make_atlas
from tests.support.toy_model import CONTEXT, WINDOW, ToyModel, add_toy_model, byte_tokenizer
from tests.support.web import serve_folder

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visit, Visitor

pytestmark = pytest.mark.slow

NASTY = [
    "plain",
    "naïve café",
    "日本語の文章 🤗🏳️\u200d🌈",
    f"a{SPECIAL}b {SPECIAL}",
    "\x00\x01\u202e\u2066\ufffd\ufeff",
    "e\u0301\u0301 a\r\n\tb",
    "<script>alert(1)</script>",
    "x" * 200,
]
NO_WASM = "delete globalThis.WebAssembly;"
NO_WORKER = "globalThis.Worker = class { constructor() { throw new DOMException('no', 'SecurityError'); } };"
IN_WORKER = """
const Real = Blob;
globalThis.Blob = class extends Real {{
  constructor(parts, options) {{
    super(options?.type === 'text/javascript' ? [{first!r}, ...parts] : parts, options);
  }}
}};
"""
"""Runs something ahead of the worker's own source: what a browser forbids, it forbids there."""
NO_COMPILE = (
    "const refuse = () => Promise.reject(new WebAssembly.CompileError('disallowed by embedder'));"
    "Object.assign(WebAssembly, { compile: refuse, instantiate: refuse, instantiateStreaming: refuse });"
)
NO_MEMORY = "WebAssembly.Memory = function () { throw new RangeError('could not allocate memory'); };"
NO_ROOM = (
    "const Real = Float32Array; globalThis.Float32Array = new Proxy(Real, { construct(target, [size], self) {"
    "if (size > 1e6) throw new RangeError('Array buffer allocation failed');"
    "return Reflect.construct(target, [size], self); } });"
)


@dataclass(frozen=True)
class Toy:
    """A site with a toy model, its dataset, and what must come out."""

    folder: Path
    model: ToyModel

    @property
    def site(self) -> Path:
        return self.folder / "site"

    @property
    def data(self) -> atlas.Atlas:
        return atlas.open(self.folder / "data")


def render_toy(folder: Path, **options: Any) -> Toy:
    """Write the dataset and the site below `folder`."""
    if not (requirements.ROOT / "themes/default/dist/ort.wasm").is_file():
        requirements.missing(
            "the scripts are not bundled", fix="cd themes/default && npm ci && npm run build"
        )
    store = make_atlas(folder / "data", n_features=24)
    model = add_toy_model(store, **options)
    with Output(folder / "site") as out:
        render_site(store, RenderConfig(), out, lambda *_: None, base=folder)
    return Toy(folder, model)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    return render_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(params=["file", "http"])
def root_address(request: pytest.FixtureRequest, toy: Toy) -> Iterator[str]:
    """Address of the site: by double click, or below a base path of a static host."""
    if request.param == "file":
        yield f"{toy.site.as_uri()}/"
        return
    with serve_folder(toy.site) as host:
        yield host.url()


SLUGS = pytest.mark.parametrize(
    ("root_address", "slug"), [("file", "alpha"), ("http", "beta")], indirect=["root_address"]
)
"""Both SAEs and both ways to open a site; a page takes a second to load the runtime."""


@pytest.fixture
def opened(visit: Visitor, toy: Toy) -> Iterator[PageModel]:
    """The toy's site from disk; nothing may go wrong on the page, whatever is refused."""
    visited = visit()
    page = visited.open(f"{toy.site.as_uri()}/index.html")
    yield PageModel(page)
    assert visited.record.problems(toy.site.as_uri()) == []


def begin(visit: Visitor, site: Path, first: str = "", path: str = "index.html") -> tuple[Visit, PageModel]:
    """A page of `site`, with `first` run ahead of its scripts."""
    visited = visit()
    if first:
        visited.page.context.add_init_script(first)
    return visited, PageModel(visited.open(f"{site.as_uri()}/{path}"))


def by_hand(toy: Toy, slug: str, ids: list[int]) -> np.ndarray:
    """Activations [n, d_sae] of `ids` (BOS included), window by window, from the toy's definition."""
    size = WINDOW[slug]
    windows = [ids[start : start + size] for start in range(0, len(ids), size)]
    return np.concatenate([toy.model.activations(slug, window) for window in windows])


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Replace what the data file at `path` holds by `change(its bytes)`."""
    begin, packed, end = re.split(r'(?<=,")|(?="\);)', path.read_text(encoding="utf-16"))
    data = gzip.compress(change(gzip.decompress(from_letters(packed))))
    path.write_bytes(MARK + f"{begin}{to_letters(data).decode(ENCODING)}{end}".encode(ENCODING))


@pytest.fixture
def copy(toy: Toy, tmp_path: Path) -> Toy:
    """A site of one's own to break."""
    shutil.copytree(toy.site, tmp_path / "site")
    return Toy(tmp_path, toy.model)


def alive(page: Page) -> bool:
    """Whether the page still answers a reader: the search box suggests something."""
    page.locator("#q").fill("word")
    return page.locator("#q").input_value() == "word"


class TestNumbers:
    @SLUGS
    def test_activations_are_those_of_the_definition_and_of_the_notebook(
        self, visit: Visitor, toy: Toy, root_address: str, slug: str
    ):
        visited = visit()
        model = PageModel(visited.open(f"{root_address}index.html")).open(slug)
        for text in ["", *NASTY]:
            found = model.activations(text)
            twin = toy.data.activations(text, sae=slug)
            assert found["ids"] == list(twin.token_ids)
            assert found["bos"] == twin.bos.tolist()
            assert (found["windows"], found["replaced"], found["nFeatures"]) == (twin.windows, 0, 24)
            pieces = [(piece["text"], piece["start"], piece["stop"]) for piece in found["pieces"]]
            assert pieces == [(piece.text, piece.start, piece.stop) for piece in twin.pieces]
            values = np.array(found["values"], np.float32).reshape(-1, 24)
            if text:
                assert np.abs(values - twin.values).max() <= 1e-5
                assert np.abs(values - by_hand(toy, slug, found["ids"])).max() <= 1e-4
                assert (values > 0).any()
        assert visited.record.problems(root_address) == []

    @SLUGS
    def test_continuations_are_those_of_the_notebook(
        self, visit: Visitor, toy: Toy, root_address: str, slug: str
    ):
        visited = visit()
        model = PageModel(visited.open(f"{root_address}index.html")).open(slug, "steer")
        data = toy.data
        unit = {feature: data.feature(feature, slug)["max_activation"] for feature in (5, 7)}
        for mode, strengths in (
            ("add", {}),
            ("add", {5: 2.0, 7: -1.5}),
            ("clamp", {7: 1.5}),
            ("ablate", {5: 1.0}),
        ):
            for temperature, seed in ((0.0, 0), (0.7, 1), (3.0, 2**32 - 1)):
                steered = [
                    {
                        "feature": feature,
                        "mode": "add" if mode == "add" else "clamp",
                        "strength": 0 if mode == "ablate" else strength * unit[feature],
                    }
                    for feature, strength in strengths.items()
                ]
                found = model.generate("def é", steered, tokens=20, temperature=temperature, seed=seed)
                twin = data.steer(
                    "def é", strengths, mode=mode, sae=slug, n_tokens=20, temperature=temperature, seed=seed
                )
                assert [step["id"] for step in found] == list(twin.token_ids)
                assert np.allclose([step["probability"] for step in found], twin.probabilities, atol=1e-6)
                if strengths:
                    assert np.allclose([step["measured"] for step in found], twin.measured, atol=1e-5)
                assert model.steps == found
        assert visited.record.problems(root_address) == []

    def test_directions_in_halves_are_read_as_the_notebook_reads_them(self, visit: Visitor, tmp_path: Path):
        halves = render_toy(tmp_path, directions="float16")
        visited, model = begin(visit, halves.site)
        model.open("beta", "steer")
        unit = halves.data.feature(7, "beta")["max_activation"]
        steered = [{"feature": 7, "mode": "add", "strength": 5 * unit}]
        found = model.generate("def ", steered, tokens=20, temperature=1.5, seed=9)
        twin = halves.data.steer("def ", {7: 5.0}, sae="beta", n_tokens=20, temperature=1.5, seed=9)
        assert [step["id"] for step in found] == list(twin.token_ids)
        # Closer than whole directions would come.
        assert np.abs(np.array([step["probability"] for step in found]) - twin.probabilities).max() < 2e-6
        assert visited.record.problems(halves.site.as_uri()) == []

    def test_reference_runs_match(self, opened: PageModel):
        runs = opened.open("beta", "steer").check_runs()
        assert [run["name"] for run in runs] == ["beta add 0", "beta add 5", "beta clamp 7"]
        assert all(run["match"] for run in runs)
        assert 0 < max(run["largest"] for run in runs) < 1e-5

    def test_a_model_that_computes_something_else_is_a_mismatch(self, visit: Visitor, copy: Toy):
        def change(data: bytes) -> bytes:
            rows = np.frombuffer(data, np.float32).copy()
            rows[5 * 8 : 6 * 8] += 0.2
            return rows.tobytes()

        rewrite(copy.site / "data/alpha/directions/0.js", change)
        _, model = begin(visit, copy.site)
        runs = model.open("alpha", "steer").check_runs()
        assert [run["match"] for run in runs] == [True, False, True]
        assert runs[1]["largest"] > 1e-2


class TestTexts:
    def test_lone_surrogates_are_replaced_and_counted(self, opened: PageModel):
        opened.open("beta")
        found = opened.tokenise("a\ud800b\udc00\ud83e\udd17")
        assert found["replaced"] == 2
        assert "".join(piece["text"] for piece in found["pieces"]) == "a\ufffdb\ufffd🤗"
        assert opened.activations("\udfff")["replaced"] == 1

    def test_random_texts_have_the_tokens_of_python(self, opened: PageModel):
        tokenizer = byte_tokenizer()
        rng = np.random.default_rng(5)
        alphabets = ["ab ", "\t\n\r ", "é日🤗\u0301\u200d", SPECIAL, "\x00\x7f\u202e\ufeff", "<0x41>▁Ġ"]
        opened.open("alpha")
        for _ in range(200):
            characters = [rng.choice(list(rng.choice(alphabets))) for _ in range(rng.integers(1, 40))]
            text = "".join(characters) + rng.choice(["", SPECIAL, "<|endof"])
            expected = tokenizer.encode(text, add_special_tokens=False).ids
            assert opened.tokenise(text)["ids"] == expected

    def test_a_hundred_thousand_characters_come_in_windows(self, opened: PageModel, toy: Toy):
        text = "0123456789" * 10_000
        # In the page, because as JSON the numbers would take longer than the model.
        opened.open("alpha")
        found = opened.page.evaluate(
            """async (text) => {
              const { ids, windows, values, nFeatures, bos } = await atlasTest.model.activations(text);
              const rows = [...values.subarray(-3 * nFeatures)];
              return { count: ids.length, windows, rows, bos: bos.filter(Boolean).length };
            }""",
            text,
        )
        windows = -(-100_000 // (WINDOW["alpha"] - 1))
        assert (found["windows"], found["bos"], found["count"]) == (windows, windows, 100_000 + windows)
        rest = 100_000 % (WINDOW["alpha"] - 1)
        expected = toy.model.activations("alpha", [BOS, *text[-rest:].encode()])[-3:]
        assert np.abs(np.array(found["rows"]).reshape(3, -1) - expected).max() <= 1e-4

    def test_a_prompt_that_is_empty_or_too_long_is_refused(self, opened: PageModel):
        opened.open("alpha", "steer")
        with pytest.raises(ModelRefusedError, match="input: The prompt is empty"):
            opened.generate("", [], tokens=3)
        longest = "a" * (CONTEXT - 1 - 3)
        assert len(opened.generate(longest, [], tokens=3)) == 3
        with pytest.raises(ModelRefusedError, match=f"input: .*longer than the {CONTEXT}"):
            opened.generate(longest + "a", [], tokens=3)

    @pytest.mark.parametrize(
        ("sampling", "said"),
        [
            ({"tokens": 0}, "one token or more"),
            ({"tokens": 1.5}, "one token or more"),
            ({"tokens": 2, "temperature": -1}, "temperature"),
            ({"tokens": 2, "seed": 2**32}, "seed"),
            ({"tokens": 2, "seed": -1}, "seed"),
        ],
    )
    def test_sampling_that_cannot_be_is_refused(self, opened: PageModel, sampling: dict[str, Any], said: str):
        opened.open("alpha", "steer")
        with pytest.raises(ModelRefusedError, match=f"input: .*{said}"):
            opened.generate("a", [], **sampling)
        with pytest.raises(ModelRefusedError, match="no feature 24"):
            opened.generate("a", [{"feature": 24, "mode": "add", "strength": 1}], tokens=1)


class TestLoading:
    def test_progress_ends_with_what_the_data_files_weigh(self, opened: PageModel, toy: Toy):
        opened.open("alpha")
        steps = opened.progress
        folders = [toy.site / "data/model/runtime", *(toy.site / "data/model/files").iterdir()]
        wanted = (
            "runtime",
            "tokenizer-json",
            "checks-json",
            "alpha-activations-onnx",
            "trunk-0",
            "alpha-weights",
        )
        weigh = sum(
            path.stat().st_size for folder in folders if folder.name in wanted for path in folder.iterdir()
        )
        assert steps[0]["loaded"] == 0
        assert {step["total"] for step in steps} == {weigh}
        assert steps[-1] == {"step": "Starting the model", "loaded": weigh, "total": weigh}
        loaded = [step["loaded"] for step in steps]
        assert loaded == sorted(loaded)
        assert len(steps) > 10

    def test_the_page_answers_while_the_model_loads(self, opened: PageModel):
        opened.page.evaluate(
            "() => { globalThis.ticks = 0; setInterval(() => (ticks += 1), 10);"
            " globalThis.opening = atlasTest.open('alpha', 'activations', null); }"
        )
        assert alive(opened.page)
        opened.page.evaluate("opening")
        assert opened.page.evaluate("ticks") > 3

    def test_a_reader_can_stop_it_and_start_again(self, opened: PageModel):
        for share in (0.0, 0.3, 1.0):
            with pytest.raises(ModelRefusedError, match="cancelled"):
                opened.open("alpha", stop_at=share)
            assert opened.workers(0) == 0
        assert opened.open("alpha").activations("a")["windows"] == 1
        assert opened.workers(1) == 1
        opened.close()
        assert opened.workers(0) == 0
        with pytest.raises(ModelRefusedError, match="cancelled"):
            opened.tokenise("a")

    def test_a_reader_can_stop_a_continuation_and_ask_for_another(self, opened: PageModel):
        opened.open("alpha", "steer")
        whole = opened.generate("a", [], tokens=40, temperature=1, seed=3)
        with pytest.raises(ModelRefusedError, match="cancelled"):
            opened.generate("a", [], tokens=40, temperature=1, seed=3, stop_after=2)
        assert opened.steps == whole[:2]
        assert opened.generate("a", [], tokens=40, temperature=1, seed=3) == whole

    def test_a_reader_can_stop_a_long_text(self, opened: PageModel):
        opened.open("beta")
        kind = opened.page.evaluate(
            """async () => {
              const control = new AbortController();
              const work = atlasTest.model.activations("a ".repeat(50_000), control.signal);
              setTimeout(() => control.abort(), 100);
              return work.then(() => "done", (error) => error.kind);
            }"""
        )
        assert kind == "cancelled"
        assert opened.activations("a")["windows"] == 1


class TestRefusals:
    @pytest.mark.parametrize(
        ("first", "kind", "said"),
        [
            (NO_WASM, "wasm", "does not run WebAssembly"),
            (NO_WORKER, "wasm", "does not start the worker"),
            (IN_WORKER.format(first="throw new Error('no');"), "wasm", "does not start the worker"),
            (IN_WORKER.format(first=NO_COMPILE), "wasm", "does not run in this browser: .*disallowed"),
            (IN_WORKER.format(first=NO_MEMORY), "memory", "too little memory"),
        ],
        ids=["no wasm", "no worker", "worker fails", "wasm refused", "no memory"],
    )
    def test_a_browser_that_refuses_is_told_and_the_page_lives_on(
        self, visit: Visitor, toy: Toy, first: str, kind: str, said: str
    ):
        visited, model = begin(visit, toy.site, first)
        with pytest.raises(ModelRefusedError, match=f"{kind}: .*{said}"):
            model.open("alpha")
        assert model.workers(0) == 0
        assert alive(visited.page)
        assert visited.record.errors == []

    @pytest.mark.parametrize(
        ("first", "said"),
        [(NO_WASM, "does not run WebAssembly"), (IN_WORKER.format(first=NO_MEMORY), "too little memory")],
        ids=["no wasm", "no memory"],
    )
    def test_a_reader_of_the_page_sees_why_and_can_try_again(
        self, visit: Visitor, toy: Toy, first: str, said: str
    ):
        visited, model = begin(visit, toy.site, first, "test.html")
        loader = visited.page.locator("atlas-model-loader").first
        for _ in range(2):
            loader.locator("button").click()
            loader.locator("[role=alert]").get_by_text(said).wait_for()
        assert "Try again" in loader.inner_text()
        assert model.workers(0) == 0
        assert alive(visited.page)
        assert visited.record.errors == []

    def test_a_text_for_which_there_is_no_memory_is_refused_and_a_shorter_one_is_not(
        self, visit: Visitor, toy: Toy
    ):
        _, model = begin(visit, toy.site, IN_WORKER.format(first=NO_ROOM))
        model.open("alpha")
        with pytest.raises(ModelRefusedError, match=r"memory: .*too little memory"):
            model.activations("a" * 50_000)
        assert model.activations("a")["windows"] == 1

    def test_a_tokenizer_that_cuts_otherwise_is_refused(self, visit: Visitor, tmp_path: Path):
        site = render_toy(tmp_path, bad_test=True).site
        visited, model = begin(visit, site)
        with pytest.raises(ModelRefusedError, match=r"tokenizer: .*cuts 6 of 6 test strings"):
            model.open("alpha")
        with pytest.raises(ModelRefusedError):
            model.activations("a")
        assert alive(visited.page)
        assert visited.record.problems(site.as_uri()) == []

    def test_a_tampered_file_is_refused_by_name(self, visit: Visitor, copy: Toy):
        visited, model = begin(visit, copy.site)
        for name in ("tokenizer.json", "checks.json", "alpha.activations.onnx"):
            part = copy.site / f"data/model/files/{name.replace('.', '-')}/0.js"
            kept = part.read_bytes()
            rewrite(part, lambda data: bytes([data[0] ^ 1]) + data[1:])
            with pytest.raises(ModelRefusedError, match=f"shard: .* {re.escape(name)} is damaged"):
                model.open("alpha")
            part.write_bytes(kept)
        assert alive(visited.page)

    def test_a_tampered_tokenizer_is_refused_also_where_digests_are_not_computed(
        self, visit: Visitor, copy: Toy
    ):
        # Browsers offer them in secure contexts only, so not over plain http.
        for part in (copy.site / "data/model/files/tokenizer-json").iterdir():
            rewrite(part, lambda data: data.replace(b'"a":97,', b'"a":98,'))
        first = "Object.defineProperty(globalThis, 'crypto', { value: {} });"
        visited, model = begin(visit, copy.site, IN_WORKER.format(first=first))
        with pytest.raises(ModelRefusedError, match=r"tokenizer: .*cuts \d of 6 test strings"):
            model.open("alpha")
        assert alive(visited.page)

    def test_a_part_that_is_missing_or_cut_short_is_refused(self, visit: Visitor, copy: Toy):
        part = copy.site / "data/model/files/alpha-weights/1.js"
        text = part.read_text(encoding="utf-16")
        part.write_text(text.replace('");', "")[:-40] + '");\n', encoding="utf-16")
        _, model = begin(visit, copy.site)
        with pytest.raises(ModelRefusedError, match=r"shard: .*alpha\.weights is damaged"):
            model.open("alpha")
        part.unlink()
        with pytest.raises(ModelRefusedError, match=r"shard: .*alpha-weights/1\.js could not be loaded"):
            model.open("alpha")
        part.write_text(text, encoding="utf-16")
        assert model.open("alpha").activations("a")["windows"] == 1

    def test_what_a_graph_cannot_do_is_refused(self, opened: PageModel):
        opened.open("alpha", "steer")
        with pytest.raises(ModelRefusedError, match=r"input: .*opened for"):
            opened.activations("a")
        opened.open("alpha", "activations")
        with pytest.raises(ModelRefusedError, match=r"input: .*opened for"):
            opened.generate("a", [], tokens=1)


def test_the_index_says_what_the_files_are(toy: Toy):
    info = decode_shard((toy.site / "data/model/index.js").read_bytes())[1]
    for file in info["files"]:
        parts = list((toy.site / "data" / file["key"]).iterdir())
        assert len(parts) == file["parts"]
        assert sum(part.stat().st_size for part in parts) == file["transfer"]
