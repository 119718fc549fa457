/** Work between two pauses, in milliseconds: short enough that a click is felt at once. */
const WORK_MS = 24;

/**
 * A way to let the browser draw and take clicks: it waits a moment where the last pause is long ago, after `before`.
 * The first is at once, so that what begins is seen and can be ended however long its first part takes.
 */
export function pause(): (before: () => void) => Promise<void> {
  let last = Number.NEGATIVE_INFINITY;
  return async (before) => {
    if (performance.now() - last < WORK_MS) return;
    before();
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  };
}
