import type { Example, ExampleEffect, ExampleGroup, FeaturePayload, FeatureShard } from "../payloads.ts";
import { PackedError, rankOf, shortest, singleOf, unzigzag, Unpacker } from "./packed.ts";

/** The text of a feature shard; `atlas.render.feature_shards` says what each part is, and in what order numbers follow. */
interface ShardText {
  start: number;
  count: number;
  common: number;
  own: string[];
  documents: string[];
  names: string[];
  titles: string[];
  texts: string[];
  methods: string[];
  score_names: string[];
  hashes: string[];
  groups: string[];
  types: string[];
  largest: number;
}

type Packed = Unpacker<ShardText>;
type Value = FeaturePayload["values"][number];

/**
 * The feature shard in `bytes`, for an SAE with `columns` columns; `common` are the pieces of the site's shard `pieces`.
 * Throws `PackedError` where the bytes are damaged or of another build than the site around them.
 */
export function decodeFeatures(bytes: Uint8Array, common: readonly string[], columns: number): FeatureShard {
  const packed: Packed = new Unpacker<ShardText>(bytes);
  const { text } = packed;
  if (text.common !== common.length || text.types.length !== columns) {
    throw new PackedError("is of another build of this site; reload the page");
  }
  const titles = readTitles(packed);
  const explained = {
    method: packed.integers(text.count),
    name: packed.integers(text.count),
    score: packed.singles(text.count),
  };
  const values = text.types.map((type) => readColumn(packed, type));
  const groups = readExamples(packed);
  const effects = readEffects(packed);
  packed.finish();
  const features = text.texts.map((title, at): FeaturePayload => {
    const largest = values[text.largest]?.[at];
    return {
      feature_idx: text.start + at,
      title,
      method: text.methods[explained.method[at] as number] ?? "",
      score: explained.score[at] ?? null,
      score_name: text.score_names[explained.name[at] as number] ?? "",
      hash: text.hashes[at] ?? "",
      max_activation: typeof largest === "number" ? largest : 0,
      values: values.map((column) => column[at] ?? null),
      groups: groups[at] ?? [],
      effects: effects[at] ?? [],
    };
  });
  const own = features.filter(({ title }) => title !== "");
  return {
    pieces: [...common, ...text.own],
    documents: text.documents,
    titles: [...titles, ...own.map(({ feature_idx, title }): [number, string] => [feature_idx, title])],
    features,
  };
}

function readTitles(packed: Packed): [number, string][] {
  const { titles } = packed.text;
  const features = running(packed.integers(titles.length));
  return titles.map((title, at) => [features[at] as number, title]);
}

/** One value per feature. */
function readColumn(packed: Packed, type: string): Value[] {
  const { count, names } = packed.text;
  if (type === "f") return packed.singles(count);
  if (type === "d") return packed.doubles(count);
  const numbers = packed.integers(count);
  if (type === "i") return numbers.map((number) => (number === 0 ? null : unzigzag(number - 1)));
  if (type === "s") return numbers.map((number) => (number === 0 ? null : (names[number - 1] ?? null)));
  const lengths = numbers.map((number) => Math.max(0, number - 1));
  const fields = type === "h" ? readHistogram(packed, lengths) : readFields(packed, type.slice(1), sum(lengths));
  let entry = 0;
  return lengths.map((length, at) => {
    const flat: (number | string | null)[] = [];
    for (const last = entry + length; entry < last; entry++) {
      for (const field of fields) flat.push(field[entry] ?? null);
    }
    return numbers[at] === 0 ? null : flat;
  });
}

function readFields(packed: Packed, letters: string, entries: number): (number | string | null)[][] {
  return Array.from(letters, (letter) => {
    switch (letter) {
      case "p":
        return packed.integers(entries);
      case "n":
        return packed.integers(entries).map((name) => packed.text.names[name] ?? null);
      case "i":
        return packed.signed(entries);
      case "f":
        return packed.singles(entries);
      case "d":
        return packed.doubles(entries);
      default:
        throw new PackedError("is of a later version of this site");
    }
  });
}

/** Lower bounds, upper bounds and counts of all bins; `lengths` are the bins per feature. */
function readHistogram(packed: Packed, lengths: readonly number[]): number[][] {
  const bins = sum(lengths);
  const regular = packed.integers(1)[0] === 1;
  const [lower, upper] = regular ? readGrid(packed, lengths, bins) : readRanks(packed, bins);
  return [lower.map(shortest), upper.map(shortest), packed.signed(bins)];
}

function readRanks(packed: Packed, bins: number): [number[], number[]] {
  const unit = 2 ** (packed.integers(1)[0] as number);
  const ranks = running(packed.signed(bins));
  const widths = packed.signed(bins);
  return [
    ranks.map((rank) => singleOf(rank * unit)),
    ranks.map((rank, at) => singleOf((rank + (widths[at] as number)) * unit)),
  ];
}

function readGrid(packed: Packed, lengths: readonly number[], bins: number): [number[], number[]] {
  const filled = lengths.filter((length) => length > 0);
  const bounds = packed.rawSingles(2 * filled.length);
  const steps = packed.integers(filled.length);
  const places = running(packed.signed(bins));
  const off = packed.signed(2 * bins);
  const found: [number[], number[]] = [[], []];
  filled.forEach((length, at) => {
    const [low, high] = [bounds[at] as number, bounds[filled.length + at] as number];
    for (let bin = found[0].length, last = bin + length; bin < last; bin++) {
      found.forEach((edges, side) => {
        const step = (places[bin] as number) + side;
        const guess = Math.fround(low + ((high - low) * step) / (steps[at] as number));
        const miss = off[side * bins + bin] as number;
        edges.push(miss === 0 ? guess : singleOf(rankOf(guess) + miss));
      });
    }
  });
  return found;
}

/** The groups of each feature. */
function readExamples(packed: Packed): ExampleGroup[][] {
  const { text } = packed;
  const perFeature = packed.integers(text.count);
  const all = sum(perFeature);
  const [names, sizes] = [packed.integers(all), packed.integers(all)];
  const [lower, upper] = [packed.singles(all), packed.singles(all)];
  const examples = readWindows(packed, sum(sizes));
  let [group, example] = [0, 0];
  return perFeature.map((count) =>
    Array.from({ length: count }, () => {
      const size = sizes[group] as number;
      const found: ExampleGroup = {
        group: text.groups[names[group] as number] ?? "",
        lower: lower[group] ?? 0,
        upper: upper[group] ?? 0,
        examples: examples.slice(example, example + size),
      };
      group += 1;
      example += size;
      return found;
    }),
  );
}

function readWindows(packed: Packed, count: number): Example[] {
  const activation = packed.singles(count);
  const [document, context, position, copies, peak, lengths, hot] = Array.from({ length: 7 }, () =>
    packed.based(count),
  ) as [number[], number[], number[], number[], number[], number[], number[]];
  const heats = sum(hot);
  const [places, strengths] = [packed.integers(heats), packed.integers(heats)];
  const pieces = packed.integers(sum(lengths));
  let [piece, next] = [0, 0];
  return lengths.map((length, at) => {
    const heat: number[] = [];
    let place = 0;
    for (const last = next + (hot[at] as number); next < last; next++) {
      place += places[next] as number;
      heat.push(place, strengths[next] as number);
    }
    piece += length;
    return {
      activation: activation[at] ?? 0,
      document: document[at] as number,
      context_idx: context[at] as number,
      position: position[at] as number,
      copies: copies[at] as number,
      peak: peak[at] as number,
      pieces: pieces.slice(piece - length, piece),
      heat,
    };
  });
}

/** The effects on each feature's examples. */
function readEffects(packed: Packed): ExampleEffect[][] {
  const perFeature = packed.integers(packed.text.count);
  const rows = sum(perFeature);
  const [ranks, lengths, raised, lowered] = Array.from({ length: 4 }, () => packed.integers(rows)) as [
    number[],
    number[],
    number[],
    number[],
  ];
  const effects = cut(packed.singles(sum(lengths)), lengths);
  const more = readTokens(packed, raised);
  const less = readTokens(packed, lowered);
  const found = ranks.map((rank, at): ExampleEffect => ({
    rank,
    effects: effects[at] ?? [],
    raised: more[at] ?? [],
    lowered: less[at] ?? [],
  }));
  return cut(found, perFeature);
}

/** Flat triples per row. */
function readTokens(packed: Packed, lengths: readonly number[]): (number | null)[][] {
  const entries = sum(lengths);
  const pieces = packed.integers(entries);
  const [measured, direct] = [packed.singles(entries), packed.singles(entries)];
  const triples = pieces.map((piece, at) => [piece, measured[at] ?? null, direct[at] ?? null]);
  return cut(triples, lengths).map((row) => row.flat());
}

function cut<Item>(items: readonly Item[], lengths: readonly number[]): Item[][] {
  let at = 0;
  return lengths.map((length) => items.slice(at, (at += length)));
}

function running(steps: readonly number[]): number[] {
  let total = 0;
  return steps.map((step) => (total += step));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
