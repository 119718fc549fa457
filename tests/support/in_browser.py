"""The model of a page, driven as its elements drive it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCRIPT = """
globalThis.atlasTest = {
  told: (error) => ({ kind: error.kind ?? "", message: error.message }),
  plain: (value) =>
    JSON.parse(JSON.stringify(value, (_, each) => (each instanceof Float32Array ? [...each] : each))),
  async open(sae, need, stopAt, runtime) {
    const { lazy, shards } = atlasCore;
    const info = await shards.loadShard("model/index");
    await Promise.all([lazy.loadBundle("model"), lazy.loadBundle("model-worker")]);
    const control = new AbortController();
    this.progress = [];
    const onProgress = (progress) => {
      this.progress.push(progress);
      if (stopAt !== null && progress.loaded >= stopAt * progress.total) control.abort();
    };
    this.model = await atlasModel.open(info, sae, need, onProgress, control.signal, runtime);
    this.model.ended.then((reason) => (this.reason = this.told(reason)));
  },
  call(name, ...values) {
    return this.model[name](...values);
  },
  generate(prompt, steered, sampling, stopAfter) {
    const control = new AbortController();
    this.steps = [];
    const onStep = (step) => {
      this.steps.push(step);
      if (this.steps.length === stopAfter) control.abort();
    };
    return this.model.generate(prompt, steered, sampling, onStep, control.signal);
  },
};
"""
"""Put into a page that has loaded site.js; a page's policy forbids it to itself, not to those who test it."""

CALL = """async ([name, values]) => {
  try {
    return { value: atlasTest.plain((await atlasTest[name](...values)) ?? null) };
  } catch (error) {
    return atlasTest.told(error);
  }
}"""


class ModelRefusedError(Exception):
    """A `ModelError` of the page."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


class PageModel:
    """What `themes/default/src/model/` offers a page, from Python; refusals are `ModelRefusedError`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.evaluate(SCRIPT)

    def open(
        self,
        sae: str,
        need: str = "activations",
        *,
        stop_at: float | None = None,
        runtime: str = "wasm",
    ) -> PageModel:
        """Open the model; with `stop_at` the reader stops it when that share has come."""
        self._call("open", sae, need, stop_at, runtime)
        return self

    @property
    def runtime(self) -> tuple[str, str]:
        """What computes, and why it is not the graphics processor that was asked for."""
        return tuple(self.page.evaluate("[atlasTest.model.runtime, atlasTest.model.refusal]"))

    def ending(self) -> dict[str, str]:
        """Kind and message of why the model ended, once it has."""
        return self.page.wait_for_function("() => atlasTest.reason").json_value()

    def tokenise(self, text: str) -> dict[str, Any]:
        """`OpenModel.tokenise`."""
        return self._call("call", "tokenise", text)

    def activations(self, text: str) -> dict[str, Any]:
        """`OpenModel.activations`, `values` as a list."""
        return self._call("call", "activations", text)

    def generate(
        self,
        prompt: str,
        steered: list[dict[str, Any]],
        *,
        tokens: int,
        temperature: float = 0,
        seed: int = 0,
        stop_after: int = 0,
    ) -> list[dict[str, Any]]:
        """`OpenModel.generate`; with `stop_after` the reader stops it when so many tokens have come."""
        sampling = {"tokens": tokens, "temperature": temperature, "seed": seed}
        return self._call("generate", prompt, steered, sampling, stop_after)

    def check_runs(self) -> list[dict[str, Any]]:
        """`OpenModel.checkRuns`."""
        return self._call("call", "checkRuns")

    def close(self) -> None:
        """`OpenModel.close`."""
        self._call("call", "close")

    @property
    def progress(self) -> list[dict[str, Any]]:
        """What was told while the model was opened last."""
        return self.page.evaluate("atlasTest.progress")

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The tokens that were told while the last continuation was made."""
        return self.page.evaluate("atlasTest.steps")

    def workers(self, expected: int) -> int:
        """How many workers the page has, once there are `expected` ones or half a minute has passed."""
        for _ in range(600):
            if len(self.page.workers) == expected:
                break
            self.page.wait_for_timeout(50)
        return len(self.page.workers)

    def _call(self, name: str, *values: Any) -> Any:
        answer = self.page.evaluate(CALL, [name, list(values)])
        if "message" in answer:
            raise ModelRefusedError(answer["kind"], answer["message"])
        return answer["value"]
