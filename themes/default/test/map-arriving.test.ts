import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { EXTENT } from "../src/map/layer.ts";
import { polygonOf } from "../src/map/lasso.ts";
import { Selection } from "../src/map/selection.ts";
import { Session } from "../src/map/session.ts";
import { breathe } from "../src/map/slices.ts";
import { address, drawFrames, FakeSurface, fakeScreen } from "./support/fake-map.ts";
import { asked, DENSITIES, handOver, ONE, PART, SIZE } from "./support/map-site.ts";

let surface: FakeSurface;
let changes: number;

beforeEach(() => {
  surface = new FakeSurface();
  changes = 0;
});

/** A session on the map of `slug` with a sample of it shown, and its loading. */
async function sampled(slug: string, search = ""): Promise<{ session: Session; loading: Promise<void> }> {
  fakeScreen(`?sae=${slug}${search}`);
  const session = new Session(surface.surface, {} as Element, () => (changes += 1));
  const loading = session.start(slug);
  while (session.points.count === 0) await breathe();
  return { session, loading };
}

/** The rest of the map arrives, the last part first. */
async function whole(slug: string, loading: Promise<void>): Promise<void> {
  for (const number of [2, 1]) handOver(slug, number);
  await drawing(loading);
}

const features = (session: Session, points: readonly number[]) =>
  points.map((point) => session.points.features[point] ?? -1);

/** Waits for `work` while frames are drawn. */
async function drawing(work: Promise<void>): Promise<void> {
  const timer = setInterval(() => drawFrames(), 1);
  await work;
  clearInterval(timer);
}

test("a large map shows a sample first; where the reader went and what was lassoed holds for all of it", async () => {
  const { session, loading } = await sampled("kept");
  assert.deepEqual([session.points.count, session.points.awaited], [PART, SIZE - 1 - PART]);
  assert.equal(session.legend.kind, "cluster");
  assert.ok(changes > 0);
  assert.deepEqual(session.listing.points, []);
  const { bounds } = session.points;
  const half = polygonOf({ left: -1, top: EXTENT / 2, right: EXTENT / 2, bottom: EXTENT + 1 });
  session.select(new Selection(session.points, half));
  const few = session.listing.total;
  surface.move({ x: 30_000, y: 20_000, zoom: 2 });
  await whole("kept", loading);
  assert.deepEqual([session.points.count, session.points.awaited], [SIZE - 1, 0]);
  assert.deepEqual(session.points.bounds, bounds);
  assert.deepEqual(surface.camera, { x: 30_000, y: 20_000, zoom: 2 }, "nothing jumps");
  const inside = [...session.points.features].filter((_, point) => {
    const { x, y } = session.points.place(point);
    return x < EXTENT / 2 && y > EXTENT / 2;
  });
  assert.deepEqual(features(session, session.selection.list).sort((a, b) => a - b), inside.sort((a, b) => a - b));
  assert.ok(session.selection.list.length > few);
  assert.equal(surface.strong?.length, SIZE - 1);
  assert.match(address.search, /lasso=/);
});

test("features that an address picks out stay picked while they are still to come", async () => {
  const { session, loading } = await sampled("picked", "&pick=2.25&list=selected&q=density%3C5");
  assert.deepEqual(features(session, session.selection.list), [2]);
  session.select(session.selection.toggle(session.points.pointOf(0, 7)));
  assert.match(address.search, /pick=2\.7\.25/);
  session.select(session.selection.toggle(session.points.pointOf(0, 2)));
  assert.match(address.search, /pick=7\.25/);
  await whole("picked", loading);
  assert.deepEqual(features(session, session.selection.list).sort((a, b) => a - b), [7, 25]);
  assert.match(address.search, /pick=7\.25/);
  const hits = DENSITIES.flatMap((value, feature) => (value < 5 && feature < SIZE - 1 ? [feature] : []));
  assert.deepEqual(features(session, session.found?.points ?? []).sort((a, b) => a - b), hits);
});

test("a part that does not come is told, and the sample stays", async () => {
  const { session, loading } = await sampled("torn");
  handOver("torn", 1);
  globalThis.atlasShard("torn/map/2", "these are no letters");
  await assert.rejects(loading, /torn\/map\/2\.js is damaged/);
  assert.equal(session.points.count, PART);
  session.relist();
  assert.equal(session.listing.total, PART, "what is there can be used");
});

test("who asks for a feature that is still to come sees nothing else first", async () => {
  fakeScreen("?sae=ringed&f=25");
  const session = new Session(surface.surface, {} as Element, () => {});
  const loading = session.start("ringed");
  while (!asked.some((path) => path.includes("ringed/map/2.js"))) await breathe();
  await breathe();
  assert.equal(surface.shown, 0);
  await whole("ringed", loading);
  assert.equal(surface.ring, session.points.pointOf(0, 25));
  assert.deepEqual({ x: surface.camera.x, y: surface.camera.y }, session.points.place(surface.ring));
});

test("another SAE asked for meanwhile is the one that is shown", async () => {
  const { session, loading } = await sampled("switched");
  session.keep({ saes: [ONE] });
  await drawing(session.load());
  for (const number of [1, 2]) handOver("switched", number);
  await loading;
  assert.deepEqual(session.points.layers.map(({ sae }) => sae), [ONE]);
  assert.equal(surface.points, session.points);
});

test("a table never lists numbers of other points", async () => {
  fakeScreen(`?sae=${ONE}`);
  let looks = 0;
  const session: Session = new Session(surface.surface, {} as Element, () => {
    looks += 1;
    for (const point of session.listing.points) assert.ok(point < session.points.count, `${point}`);
    assert.ok(session.values === null || session.values.length === session.points.count);
  });
  await drawing(session.start(ONE));
  session.shown = SIZE;
  session.keep({ colour: "density" });
  await session.recolour();
  assert.equal(session.listing.points.length, SIZE - 1);
  session.keep({ saes: ["listed"] });
  const before = looks;
  const loading = session.load();
  while (session.points.awaited === 0) await breathe();
  await whole("listed", loading);
  assert.ok(looks > before + 1);
  assert.ok(session.listing.points.length > 0);
});
