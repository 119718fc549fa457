/** Work that can be put down after each step; every step takes a few milliseconds at most. */
export type Steps = Iterator<unknown, unknown>;

/** After so much work the page must hear its reader. A phone is about four times slower than a desk: still no long task. */
const SLICE_MS = 6;

/** Lets everything happen that waits: a key, a frame, a file. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    // A timer would wait: four milliseconds after a few turns, a second on a page that nobody sees.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** A page in the background draws no frames; it must not wait for one for ever. */
const NO_FRAME_MS = 1000;

/** Lets the browser show what there is by now. */
export function nextFrame(): Promise<void> {
  return new Promise((resolve) => {
    window.requestAnimationFrame(() => window.setTimeout(resolve));
    window.setTimeout(resolve, NO_FRAME_MS);
  });
}

/** Goes through all of `steps` now. */
export function atOnce(steps: Steps): void {
  while (steps.next().done !== true);
}

/**
 * Goes through `steps` in slices of a few milliseconds, the first of them now, while `wanted` says so before each further
 * slice; calls `done` after the last step.
 */
export function inSlices(steps: Steps, wanted: () => boolean, done: () => void): void {
  const until = performance.now() + SLICE_MS;
  do {
    if (steps.next().done === true) {
      done();
      return;
    }
  } while (performance.now() < until);
  void breathe().then(() => {
    if (wanted()) inSlices(steps, wanted, done);
  });
}
