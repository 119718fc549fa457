/**
 * The pieces of `locks` in the text that `after` is cut into: those that stand before everything that changed, and
 * those that stand behind it, moved along. The others are gone.
 */
export function movedLocks(before: readonly string[], after: readonly string[], locks: readonly number[]): number[] {
  const room = Math.min(before.length, after.length);
  let head = 0;
  while (head < room && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < room - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const by = after.length - before.length;
  return locks.flatMap((lock) => {
    if (lock < head) return [lock];
    return lock >= before.length - tail ? [lock + by] : [];
  });
}

/** `locks` with `piece` locked or, where it was, free again; ascending. */
export function toggledLock(locks: readonly number[], piece: number): number[] {
  const others = locks.filter((other) => other !== piece);
  return others.length < locks.length ? others : [...others, piece].sort((a, b) => a - b);
}
