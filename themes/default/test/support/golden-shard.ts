import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FeatureShard } from "../../src/payloads.ts";

/** A feature shard that Python wrote, and what is in it as Python reads it. */
export interface GoldenShard {
  common: string[];
  columns: number;
  bytes: string;
  decoded: FeatureShard;
}

const HERE = dirname(fileURLToPath(import.meta.url));

/** The one that `tests/unit/front/test_feature_twins.py` keeps. */
export function goldenShard(): GoldenShard {
  const path = join(HERE, "../../../../tests/support/feature_shard_cases.json");
  return JSON.parse(readFileSync(path, "utf-8")) as GoldenShard;
}
