import assert from "node:assert/strict";
import { test } from "node:test";
import type { LightElement } from "../src/core/element.ts";
import type { OpenModel } from "../src/model/client.ts";
import { LiveText } from "../src/probe/live.ts";
import { showTextField, showTextModel } from "../src/probe/own-text.ts";
import { fakeModel } from "./support/fake-model.ts";
import { fakeSite } from "./support/fake-site.ts";
import { HOSTILE } from "./support/random.ts";
import { listenersOf, printed } from "./support/template.ts";

fakeSite();

/** What an element of a page does, as far as the offer of the model needs it. */
function fakeHost() {
  const found = { updates: 0, focused: 0 };
  const field = { focus: () => found.focused++ };
  const host = { requestUpdate: () => found.updates++, querySelector: () => field } as unknown as LightElement;
  return { found, host };
}

test("the field tells what is typed, and holds text whatever stands in it", () => {
  const told: string[] = [];
  const field = showTextField({ text: HOSTILE.join(""), rows: 3, label: "visually-hidden" }, (text) => told.push(text));
  listenersOf(field, "input")[0]?.({ target: { value: "new" } });
  assert.deepEqual(told, ["new"]);
  const html = printed(field);
  assert.ok(!html.includes("<img") && !html.includes("</script>"));
  assert.ok(html.includes("visually-hidden") && html.includes('for="own-text"'));
});

test("a model that is opened runs the text and gives the field the focus; closing forgets it", () => {
  const { found, host } = fakeHost();
  const live = new LiveText(() => undefined);
  const offer = showTextModel(host, live, "alpha");
  const model: OpenModel = fakeModel();
  listenersOf(offer, "atlas-model-open")[0]?.({ detail: model });
  assert.equal(live.model, model);
  assert.deepEqual(found, { updates: 1, focused: 1 });
  listenersOf(offer, "atlas-model-close")[0]?.({ detail: null });
  assert.equal(live.model, null);
  assert.equal(live.activations, null);
  assert.deepEqual(found, { updates: 2, focused: 1 });
});
