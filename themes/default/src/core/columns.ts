import type { TableColumn } from "../payloads.ts";
import { loadSae, loadSite, loadTable } from "./data.ts";
import { loadBytes, ShardError } from "./shards.ts";

/** One number per feature of an SAE. */
export interface Column {
  info: TableColumn;
  /** By feature number; NaN where there is none. */
  values: Float64Array;
}

/** Reads number `at` of a part. */
type Reader = (view: DataView, at: number) => number;

interface StoredType {
  bytes: number;
  read: Reader;
  /** Stands for no value; NaN needs none. */
  missing: number;
}

const TYPES: Readonly<Record<string, StoredType>> = {
  uint8: { bytes: 1, read: (view, at) => view.getUint8(at), missing: 0xff },
  uint16: { bytes: 2, read: (view, at) => view.getUint16(2 * at, true), missing: 0xffff },
  uint32: { bytes: 4, read: (view, at) => view.getUint32(4 * at, true), missing: 0xffffffff },
  int32: { bytes: 4, read: (view, at) => view.getInt32(4 * at, true), missing: -0x80000000 },
  float32: { bytes: 4, read: (view, at) => view.getFloat32(4 * at, true), missing: Number.NaN },
  float64: { bytes: 8, read: (view, at) => view.getFloat64(8 * at, true), missing: Number.NaN },
};

const columns = new Map<string, Promise<Column>>();

/** The columns that the feature table of `sae` has. */
export async function loadColumns(sae: string): Promise<TableColumn[]> {
  return (await loadTable(sae)).columns;
}

/** Column `name` of all features of `sae`, read once; rejects with `ShardError` where there is none of that name. */
export function loadColumn(sae: string, name: string): Promise<Column> {
  const key = `${sae}/${name}`;
  const known = columns.get(key);
  if (known !== undefined) return known;
  const loading = readColumn(sae, name);
  columns.set(key, loading);
  loading.catch(() => columns.delete(key));
  return loading;
}

/** The values of part `number` of column `name`: `rows_per_column_shard` features, the last part fewer. */
export async function loadPart(sae: string, name: string, number: number): Promise<Float64Array> {
  const { place, info } = await find(sae, name);
  const key = `${sae}/columns/${place}/${number}`;
  return decodeValues(await loadBytes(key), info.type, key);
}

async function readColumn(sae: string, name: string): Promise<Column> {
  const [{ info }, { n_features: count }, site] = await Promise.all([find(sae, name), loadSae(sae), loadSite()]);
  const size = site.rows_per_column_shard;
  const values = new Float64Array(count).fill(Number.NaN);
  const parts = Array.from({ length: Math.ceil(count / size) }, async (_, number) => {
    values.set((await loadPart(sae, name, number)).subarray(0, count - number * size), number * size);
  });
  await Promise.all(parts);
  return { info, values };
}

async function find(sae: string, name: string): Promise<{ place: number; info: TableColumn }> {
  const found = await loadColumns(sae);
  const place = found.findIndex((column) => column.name === name);
  const info = found[place];
  if (info === undefined) throw new ShardError(`${sae}/table`, `has no column called ${name}`);
  return { place, info };
}

/** The numbers in `bytes` of the stored `type`, NaN for no value; throws `ShardError` of `key` where they do not fit. */
export function decodeValues(bytes: Uint8Array, type: string, key = ""): Float64Array {
  const stored = TYPES[type];
  if (stored === undefined || bytes.length % stored.bytes !== 0) throw new ShardError(key, "is damaged");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { read, missing } = stored;
  const values = new Float64Array(bytes.length / stored.bytes);
  for (let at = 0; at < values.length; at++) {
    const value = read(view, at);
    values[at] = value === missing ? Number.NaN : value;
  }
  return values;
}

/** A typed bound as column `info` would store it: 0.1 is not exactly any float32. */
export function compareAs({ type }: TableColumn, bound: number): number {
  return type === "float32" ? Math.fround(bound) : bound;
}
