// A site in memory with maps: of one part, and of three whose last two arrive when a test says so.
import { gzipSync } from "node:zlib";
import { EXTENT } from "../../src/map/layer.ts";
import { fakeSite } from "./fake-site.ts";
import { scalarColumn } from "./layers.ts";
import { toLetters } from "./letters.ts";

/** Features of each SAE; the last one has no place. */
export const SIZE = 30;
/** Values of the column `density`. */
export const DENSITIES = Array.from({ length: SIZE }, (_, feature) => (feature === 3 ? Number.NaN : (feature * 7) % SIZE));

/** Features on a diagonal, from the lower left to the upper right; the last one has no place. */
function partOf(count: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(6 * count));
  for (let at = 0; at < count; at++) {
    const place = Math.round((EXTENT * at) / (count - 1));
    view.setUint16(2 * at, place, true);
    view.setUint16(2 * (count + at), place, true);
    view.setInt16(2 * (2 * count + at), at % 3 === 0 ? -1 : at % 2, true);
  }
  return new Uint8Array(view.buffer);
}

const map = {
  n_points: SIZE - 1,
  points_per_part: 1000,
  width: EXTENT,
  height: EXTENT,
  runs: [0, SIZE - 1],
  clusters: [0, 1].map((cluster) => ({ label: `group ${cluster}`, size: 10, x: 100 * cluster, y: 0 })),
};

/** SAEs whose map comes in three parts, the last two of them when a test hands them over. */
const IN_PARTS = ["kept", "picked", "torn", "ringed", "switched", "listed"];
/** Places in a part of their maps. */
export const PART = 10;

/** The bytes of part `number` of such a map. */
function pieceOf(number: number): Uint8Array {
  const all = partOf(SIZE - 1);
  const count = SIZE - 1;
  const [from, to] = [number * PART, Math.min(count, (number + 1) * PART)];
  return Buffer.concat([0, 1, 2].map((axis) => all.subarray(2 * (axis * count + from), 2 * (axis * count + to))));
}

/** The part arrives. */
export function handOver(slug: string, number: number): void {
  globalThis.atlasShard(`${slug}/map/${number}`, toLetters(gzipSync(pieceOf(number))));
}

/** A site with two SAEs of the same features, and with those in parts; returns the slugs of the two. */
function newSite(): [string, string] {
  const slugs: [string, string] = ["one", "two"];
  const payloads = Object.fromEntries(
    slugs.flatMap((slug): [string, unknown][] => [
      [`${slug}/map`, map],
      [`${slug}/table`, { columns: [scalarColumn("density", { type: "float64" }), scalarColumn("cluster", { kind: "category" })] }],
      [
        `${slug}/titles/0`,
        {
          start: 0,
          explanations: Array.from({ length: SIZE }, (_, at) => (at === 5 ? "" : `title ${at}`)),
          tokens: Array.from({ length: SIZE }, () => ["token"]),
          densities: Array.from({ length: SIZE }, () => null),
        },
      ],
    ]),
  );
  const saes = [...slugs, ...IN_PARTS].map((slug) => ({ slug, title: slug, hook_name: "", n_features: SIZE, columns: [], cards: [] }));
  const site = fakeSite({
    site: { title: "", build_id: "", saes, rows_per_column_shard: 1000, rows_per_title_shard: 1000 },
    ...payloads,
  });
  for (const slug of slugs) {
    site.answers.set(`${slug}/map/0`, { bytes: partOf(SIZE - 1) });
    site.answers.set(`${slug}/columns/0/0`, { bytes: new Uint8Array(Float64Array.from(DENSITIES).buffer) });
  }
  asked = site.asked;
  for (const slug of IN_PARTS) {
    for (const end of ["table", "titles/0"]) site.answers.set(`${slug}/${end}`, site.answers.get(`one/${end}`) ?? "missing");
    site.answers.set(`${slug}/columns/0/0`, site.answers.get("one/columns/0/0") ?? "missing");
    site.answers.set(`${slug}/map`, { payload: { ...map, points_per_part: PART } });
    site.answers.set(`${slug}/map/0`, { bytes: pieceOf(0) });
    for (const number of [1, 2]) site.answers.set(`${slug}/map/${number}`, "silent");
  }
  return slugs;
}

/** Addresses asked for. */
export let asked: readonly string[] = [];

// One site for all sessions: shards are cached by their key.
export const [ONE, TWO] = newSite();
