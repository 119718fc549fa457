import { loadSite, loadTable } from "../core/data.ts";
import type { TableData } from "./data.ts";

/** Table shards asked for at a time. */
const AT_ONCE = 3;

/**
 * Fills `data` with all rows of `sae`, calling `arrived` after every shard. One that fails does not keep the others:
 * only at the end the first failure is thrown.
 */
export async function loadAll(sae: string, data: TableData, arrived: () => void): Promise<void> {
  const { rows_per_table_shard: size } = await loadSite();
  const count = Math.ceil(data.size / size);
  const failures: unknown[] = [];
  let next = 0;
  const work = async () => {
    while (next < count) {
      try {
        data.add(await loadTable(sae, next++));
        arrived();
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (failures.length > 0) throw failures[0];
}
