import type { ModelPayload, SaeModelPayload } from "../payloads.ts";
import { loadSite } from "../core/data.ts";
import { ModelError } from "../core/model-error.ts";
import { loadBytes } from "../core/shards.ts";

const EXPONENT_BIAS = 15;
const FRACTION = 1024;

/** What one unit of each feature writes, row after row: [features, d_out]. Rejects with `ModelError`. */
export async function loadDirections(
  info: ModelPayload,
  { slug, d_sae, d_out }: SaeModelPayload,
  features: readonly number[],
): Promise<Float32Array> {
  const unknown = features.find((feature) => !Number.isInteger(feature) || feature < 0 || feature >= d_sae);
  if (unknown !== undefined) throw new ModelError("input", `${slug} has no feature ${unknown}.`);
  const { features_per_shard: size } = await loadSite();
  const rows = features.map(async (feature) => {
    const key = `${slug}/directions/${Math.floor(feature / size)}`;
    const row = readRow(await loadBytes(key), info.directions, feature % size, d_out);
    if (row === null) throw new ModelError("shard", `data/${key}.js holds no direction of feature ${feature}.`);
    return row;
  });
  const directions = new Float32Array(features.length * d_out);
  for (const [at, row] of (await Promise.all(rows)).entries()) directions.set(row, at * d_out);
  return directions;
}

/** Row `row` of `bytes`, which hold rows of `width` numbers of `type`, little-endian; null where there is none. */
export function readRow(bytes: Uint8Array, type: string, row: number, width: number): Float32Array | null {
  const size = type === "float16" ? 2 : 4;
  if ((row + 1) * width * size > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + row * width * size, width * size);
  return Float32Array.from({ length: width }, (_, at) =>
    size === 2 ? halfOf(view.getUint16(2 * at, true)) : view.getFloat32(4 * at, true),
  );
}

/** The number that 16 bits stand for (IEEE 754 binary16). */
export function halfOf(bits: number): number {
  const sign = bits >> 15 === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & (FRACTION - 1);
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return (sign * fraction * 2 ** (1 - EXPONENT_BIAS)) / FRACTION;
  return sign * 2 ** (exponent - EXPONENT_BIAS) * (1 + fraction / FRACTION);
}
