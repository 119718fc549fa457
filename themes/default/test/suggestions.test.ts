import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { Hit } from "../src/core/search-rank.ts";
import { Suggestions } from "../src/search/suggestions.ts";

/** A feature whose title is lost. */
const NO_TITLE = 9;

const hit = (feature: number): Hit =>
  ({ sae: 0, feature, score: 1, whole: true, reasons: [] }) as unknown as Hit;

/** A field whose searches end when the test says so, in the order it likes. */
function fieldOf(more = 0) {
  const input = { value: "" };
  const asked = new Map<string, { found: (hits: Hit[]) => void; failed: (reason: Error) => void }>();
  Object.assign(globalThis, { window: globalThis, document: { activeElement: input } });
  const suggestions = new Suggestions({
    input: () => input as HTMLInputElement,
    find: (query) =>
      new Promise((found, failed) => {
        asked.set(query, { found, failed });
      }),
    row: ({ feature }) =>
      feature === NO_TITLE
        ? Promise.reject(new Error("no file"))
        : Promise.resolve({ feature, explanation: `e${feature}`, tokens: [], density: null }),
    nothing: (query) => `nothing for ${query}`,
    more,
    changed: () => undefined,
  });
  const type = (value: string) => {
    input.value = value;
    suggestions.follow();
  };
  const asks = (value: string) => {
    type(value);
    mock.timers.tick(60);
  };
  const answer = async (query: string, ...features: number[]) => {
    asked.get(query)?.found(features.map(hit));
    await settled();
  };
  const press = (key: string) => {
    const event = { key, prevented: false, preventDefault: () => (event.prevented = true) };
    const handled = suggestions.pressed(event as unknown as KeyboardEvent);
    assert.equal(handled, event.prevented);
    return handled;
  };
  return { input, asked, suggestions, type, asks, answer, press };
}

const settled = () => new Promise<void>((done) => setImmediate(done));
const offered = ({ options }: Suggestions) => options.map(({ feature }) => feature);

function check(name: string, body: () => Promise<void>): void {
  test(name, async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      await body();
    } finally {
      mock.timers.reset();
    }
  });
}

check("features are looked for once the typing pauses, and shown", async () => {
  const field = fieldOf();
  field.type("f");
  mock.timers.tick(59);
  field.type("fi");
  mock.timers.tick(59);
  assert.deepEqual([...field.asked.keys()], []);
  mock.timers.tick(1);
  assert.deepEqual([...field.asked.keys()], ["fi"]);
  assert.equal(field.suggestions.expanded, false);
  await field.answer("fi", 3, 4);
  assert.deepEqual(offered(field.suggestions), [3, 4]);
  assert.equal(field.suggestions.expanded, true);
});

check("after Escape nothing opens that was still being looked for", async () => {
  const field = fieldOf();
  field.asks("fi");
  await field.answer("fi", 3);
  field.asks("fires");
  assert.equal(field.press("Escape"), true);
  await field.answer("fires", 5);
  assert.equal(field.suggestions.expanded, false);
  assert.deepEqual(offered(field.suggestions), [5]);
  assert.equal(field.press("ArrowDown"), true);
  assert.equal(field.suggestions.expanded, true);
});

check("nor what was about to be looked for", async () => {
  const field = fieldOf();
  field.asks("fi");
  await field.answer("fi", 3);
  field.type("fires");
  field.press("Escape");
  mock.timers.tick(60);
  await field.answer("fires", 5);
  assert.equal(field.suggestions.expanded, false);
  field.asks("fires at");
  await field.answer("fires at", 6);
  assert.equal(field.suggestions.expanded, true);
});

check("a second Escape empties the field, and a late answer is of no use", async () => {
  const field = fieldOf();
  field.asks("fi");
  assert.equal(field.press("Escape"), false);
  assert.equal(field.input.value, "");
  await field.answer("fi", 3);
  assert.deepEqual(offered(field.suggestions), []);
  assert.equal(field.suggestions.expanded, false);
});

check("answers that come in another order do not stand for what is typed now", async () => {
  const field = fieldOf();
  field.asks("fi");
  field.asks("fires");
  await field.answer("fires", 5);
  await field.answer("fi", 3);
  assert.deepEqual(offered(field.suggestions), [5]);
  assert.equal(field.suggestions.query, "fires");
});

check("options answer the query they carry, not the one that is still open", async () => {
  const field = fieldOf();
  field.asks("1");
  await field.answer("1", 1);
  field.asks("12");
  assert.equal(field.suggestions.query, "1");
  assert.equal(field.suggestions.typed, "12");
  field.type("1");
  assert.equal(field.suggestions.expanded, true);
  await field.answer("12", 12);
  assert.deepEqual(offered(field.suggestions), [1]);
});

check("a reader who went elsewhere sees nothing open", async () => {
  const field = fieldOf();
  field.asks("fi");
  Object.assign(globalThis.document, { activeElement: null });
  await field.answer("fi", 3);
  assert.equal(field.suggestions.expanded, false);
});

check("nothing found and a failure are said; the last failure counts", async () => {
  const field = fieldOf();
  field.asks("zz");
  await field.answer("zz");
  assert.equal(field.suggestions.message, "nothing for zz");
  field.asks("a");
  field.asks("b");
  field.asked.get("b")?.failed(new Error("no index"));
  field.asked.get("a")?.failed(new Error("another"));
  await settled();
  assert.equal(field.suggestions.message, "The search does not work: no index");
  assert.equal(field.suggestions.expanded, true);
});

check("titles come after the options; one that is lost is said", async () => {
  const field = fieldOf();
  field.asks("fi");
  await field.answer("fi", 3, NO_TITLE);
  const rows = field.suggestions.options.map(({ row }) => row?.explanation);
  assert.deepEqual(rows, ["e3", undefined]);
  assert.equal(field.suggestions.message, "Titles cannot be loaded: no file");
});

check("arrows go round the options and what stands below them; typing starts anew", async () => {
  const field = fieldOf(1);
  field.asks("fi");
  await field.answer("fi", 3, 4);
  const seen: number[] = [];
  for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp"]) {
    field.press(key);
    seen.push(field.suggestions.active);
  }
  assert.deepEqual(seen, [0, 1, 2, 0, 2]);
  field.type("fir");
  assert.equal(field.suggestions.active, -1);
  assert.equal(field.press("Enter"), false);
});

check("what is typed can be looked for at once", async () => {
  const field = fieldOf();
  field.type("7");
  const done = field.suggestions.now();
  await field.answer("7", 7);
  await done;
  assert.deepEqual(offered(field.suggestions), [7]);
  await field.suggestions.now();
  assert.equal(field.asked.size, 1);
  field.suggestions.clear();
  assert.deepEqual(offered(field.suggestions), []);
});
