import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Selection } from "../src/map/selection.ts";
import { PAGE_ROWS, Session } from "../src/map/session.ts";
import { polygonOf } from "../src/map/lasso.ts";
import { address, drawFrames, FakeSurface, fakeScreen } from "./support/fake-map.ts";
import { DENSITIES, ONE, SIZE, TWO } from "./support/map-site.ts";

let surface: FakeSurface;
let changes: number;

beforeEach(() => {
  surface = new FakeSurface();
  changes = 0;
});

/** A session at an address, loaded. */
async function opened(search: string): Promise<Session> {
  fakeScreen(search);
  const session = new Session(surface.surface, {} as Element, () => (changes += 1));
  const loading = session.start(ONE);
  const timer = setInterval(() => drawFrames(), 1);
  await loading;
  clearInterval(timer);
  return session;
}

const features = (session: Session, points: readonly number[]) =>
  points.map((point) => session.points.features[point] ?? -1);

test("without an address the page's own SAE is shown in whole, by cluster", async () => {
  const session = await opened("");
  assert.deepEqual(session.view.saes, [ONE]);
  assert.equal(session.points.count, SIZE - 1);
  assert.equal(session.legend.kind, "cluster");
  assert.deepEqual(
    session.columns.map(({ name }) => name),
    ["density"],
    "a category is no colour of its own",
  );
  assert.equal(session.listing.tab, "view");
  assert.equal(session.listing.total, SIZE - 1);
  assert.equal(session.listing.points.length, PAGE_ROWS);
  assert.ok(changes > 0);
  assert.equal(address.search, "", "nothing was asked for, so nothing is in the address");
});

test("an address names SAEs, those that the site has; of none the first is shown", async () => {
  assert.deepEqual((await opened(`?sae=${TWO}`)).view.saes, [TWO]);
  assert.deepEqual((await opened(`?sae=${TWO},nowhere,${ONE}`)).view.saes, [TWO, ONE]);
  fakeScreen("?sae=nowhere");
  const session = new Session(surface.surface, {} as Element, () => {});
  setTimeout(() => drawFrames(), 5);
  await session.start("also-nowhere");
  assert.deepEqual(session.view.saes, [ONE]);
});

test("a feature in the address is ringed and, without a camera, brought close", async () => {
  const session = await opened("?f=20");
  const point = session.points.pointOf(0, 20);
  assert.equal(surface.ring, point);
  assert.deepEqual({ x: surface.camera.x, y: surface.camera.y }, session.points.place(point));
  assert.ok(surface.camera.zoom > 4);
  assert.equal(features(session, session.listing.points)[0], 20);
  surface = new FakeSurface();
  await opened("?f=20&x=5&y=6&z=2");
  assert.deepEqual(surface.camera, { x: 5, y: 6, zoom: 2 });
  surface = new FakeSurface();
  await opened(`?f=${SIZE - 1}`);
  assert.equal(surface.ring, -1, "a feature without a place");
});

test("colours stand for a column, for clusters, or for SAEs, and each says so", async () => {
  const session = await opened("?colour=density");
  assert.match(session.legend.kind, /^scale$/);
  for (const [point, feature] of session.points.features.entries()) {
    assert.equal(session.values?.[point], DENSITIES[feature]);
    assert.equal(surface.entries[point] === 0, Number.isNaN(DENSITIES[feature]));
  }
  session.keep({ colour: "cluster" });
  await session.recolour();
  assert.equal(session.legend.kind, "cluster");
  assert.equal(session.values, null);
  session.keep({ colour: "no_such" });
  await session.recolour();
  assert.equal(session.legend.kind, "cluster", "an unknown column is no error");
  assert.equal((await opened(`?sae=${ONE},${TWO}&lay=over`)).legend.kind, "sae");
});

test("of two colours asked for in a row the last one counts", async () => {
  const session = await opened("");
  session.keep({ colour: "density" });
  const first = session.recolour();
  session.keep({ colour: "" });
  await Promise.all([first, session.recolour()]);
  assert.equal(session.legend.kind, "cluster");
});

test("hits stand out and are listed; a query in the address is asked at once", async () => {
  const session = await opened("?q=density%3C5");
  const expected = DENSITIES.flatMap((value, feature) => (value < 5 && feature < SIZE - 1 ? [feature] : []));
  assert.deepEqual(features(session, session.found?.points ?? []).sort((a, b) => a - b), expected);
  const strong = [...session.points.features].filter((_, point) => surface.strong?.[point] === 1);
  assert.deepEqual(strong.sort((a, b) => a - b), expected);
  assert.equal(session.tab, "found");
  assert.equal(session.listing.total, expected.length);
  assert.deepEqual(
    session.listing.features.map(({ feature_idx }) => feature_idx).sort((a, b) => a - b),
    expected,
  );
  session.keep({ query: "" });
  await session.highlight();
  assert.equal(session.found, null);
  assert.equal(surface.strong, null);
  assert.equal(session.tab, "view");
});

test("a selection is drawn, listed and kept in the address", async () => {
  const session = await opened("?list=selected");
  const { bounds } = session.points;
  const middle = { x: (bounds.left + bounds.right) / 2, y: (bounds.top + bounds.bottom) / 2 };
  const half = polygonOf({ left: bounds.left - 1, top: middle.y, right: middle.x, bottom: bounds.bottom + 1 });
  session.select(new Selection(session.points, half));
  const inside = [...session.points.features].filter((_, point) => {
    const { x, y } = session.points.place(point);
    return x < middle.x && y > middle.y;
  });
  assert.deepEqual(features(session, session.listing.points), inside.sort((a, b) => a - b));
  assert.deepEqual(surface.lasso, half);
  assert.equal(surface.strong?.reduce((sum, mark) => sum + mark), inside.length);
  const again = await opened(address.search);
  assert.deepEqual(again.listing.points.length, inside.length);
  again.select(again.selection.toggle(again.points.pointOf(0, 28)));
  assert.match(address.search, /pick=28/);
  assert.ok(surface.picked.length === 1);
  again.select(new Selection(again.points));
  assert.doesNotMatch(address.search, /pick|lasso/);
  assert.equal(surface.strong, null);
});

test("while there is a search its hits stand out, not the selection", async () => {
  const session = await opened("?q=density%3C5");
  const hits = surface.strong?.reduce((sum, mark) => sum + mark);
  session.select(new Selection(session.points, [], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
  assert.equal(surface.strong?.reduce((sum, mark) => sum + mark), hits);
});

test("selected features are in the order of their values where colours are values", async () => {
  const session = await opened("?colour=density&list=selected");
  session.select(new Selection(session.points, [], [...session.points.features.keys()]));
  session.shown = SIZE;
  session.relist();
  const listed = features(session, session.listing.points).map((feature) => DENSITIES[feature] ?? Number.NaN);
  assert.ok(Number.isNaN(listed.at(-1)), "without a value comes last");
  const known = listed.slice(0, -1);
  assert.deepEqual(known, [...known].sort((a, b) => b - a));
});

test("a page of the table is twenty rows, and more on demand", async () => {
  const session = await opened("");
  session.shown += PAGE_ROWS;
  session.relist();
  assert.equal(session.listing.points.length, SIZE - 1);
  assert.equal(session.listing.features.length, SIZE - 1);
});

test("only what is in view is listed", async () => {
  const session = await opened("");
  surface.move({ ...session.points.place(session.points.pointOf(0, 28)), zoom: 8 });
  session.relist();
  assert.ok(session.listing.total < 8);
  const { left, right, top, bottom } = surface.box;
  for (const point of session.listing.points) {
    const { x, y } = session.points.place(point);
    assert.ok(x >= left && x <= right && y >= top && y <= bottom);
  }
  assert.equal(features(session, session.listing.points)[0], 28);
});

test("close in, points have their titles; one without a title its number", async () => {
  const session = await opened("?f=5");
  session.label();
  const texts = () => surface.labels.filter(({ kind }) => kind === "point").map(({ text }) => text);
  for (let round = 0; round < 1000 && !texts().includes("title 6"); round += 1) await new Promise((done) => setTimeout(done, 5));
  assert.ok(texts().includes("5") && texts().includes("title 6"), texts().join());
});

test("two SAEs lie side by side; a search is about both", async () => {
  const session = await opened(`?sae=${ONE},${TWO}&q=density%3C5`);
  assert.equal(session.points.count, 2 * (SIZE - 1));
  const names = new Set(session.found?.points.map((point) => session.points.named(point)?.sae));
  assert.deepEqual(names, new Set([ONE, TWO]));
  assert.equal(surface.labels.filter(({ kind }) => kind === "layer").length, 2);
});

test("of two SAEs asked for in a row the last one is shown", async () => {
  const session = await opened("");
  surface.shown = 0;
  session.keep({ saes: [TWO] });
  const first = session.load();
  session.keep({ saes: [ONE, TWO] });
  const timer = setInterval(() => drawFrames(), 1);
  await Promise.all([first, session.load()]);
  clearInterval(timer);
  assert.equal(session.points.layers.length, 2);
  assert.equal(surface.shown, 1, "the first request was given up");
});

test("a map whose data are missing is an error that names them", async () => {
  const session = await opened("");
  session.saes = [...session.saes, { ...session.saes[0]!, slug: "gone" }];
  session.keep({ saes: ["gone"] });
  await assert.rejects(session.load(), /gone\/map\.js could not be loaded/);
  session.keep({ saes: [] });
  await assert.rejects(session.load(), /names no SAE/);
});
