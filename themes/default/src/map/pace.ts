/** Points that a first moving frame draws before anything was measured. */
const FIRST_POINTS = 150_000;
const FEWEST_POINTS = 20_000;
/** Frames longer than this are made cheaper, frames shorter than the other richer; in milliseconds. */
const LONG_MS = 42;
const SHORT_MS = 24;
/** A longer pause is no slow frame: nothing moved. */
const PAUSE_MS = 250;

/** Decides how many points a frame draws while the map moves, from how long the frames before it took. */
export class Pace {
  private budget = FIRST_POINTS;
  private before = Number.NaN;

  /** A moving frame begins at `now` (milliseconds). */
  tick(now: number): void {
    const took = now - this.before;
    this.before = now;
    if (!(took < PAUSE_MS)) return;
    if (took > LONG_MS) this.budget = Math.max(FEWEST_POINTS, this.budget * 0.75);
    else if (took < SHORT_MS) this.budget = Math.min(1e7, this.budget * 1.2);
  }

  /** Share of `visible` points to draw now. */
  share(visible: number): number {
    return Math.min(1, this.budget / Math.max(1, visible));
  }
}
