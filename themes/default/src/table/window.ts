/** Rows to draw of a long list, and the room that stands for all others. */
export interface Window {
  /** First row to draw. */
  start: number;
  /** One past the last. */
  stop: number;
  /** Pixels above the first drawn row. */
  above: number;
  /** Pixels below the last. */
  below: number;
}

/** What a list looks like on the screen. */
export interface Frame {
  /** Pixels of rows that are seen at a time. */
  view: number;
  /** Pixels of a row. */
  row: number;
  /** Rows in all. */
  count: number;
}

/** Rows drawn beyond each edge, so that a short scroll shows no gap. */
const OVERSCAN = 12;

/** Browsers cap the height of an element (Firefox at 17.9 million pixels); of longer lists a pixel is several. */
const MOST_PIXELS = 12_000_000;

/** Pixels of list per pixel of scrolling: 1, but for very long lists. */
export function stretchOf({ view, row, count }: Frame): number {
  const whole = count * row;
  return whole <= MOST_PIXELS ? 1 : (whole - view) / (MOST_PIXELS - view);
}

/** The rows that are in view, and some beyond, in steps that keep redraws rare. */
export function windowOf(scrollTop: number, frame: Frame): Window {
  const { view, row, count } = frame;
  const height = Math.min(count * row, MOST_PIXELS);
  const scrolled = Math.max(0, Math.min(scrollTop, Math.max(0, height - view)));
  const top = scrolled * stretchOf(frame);
  const step = OVERSCAN / 2;
  const first = Math.floor(top / row) - OVERSCAN;
  // Where a pixel is several, rows lie above their place by what the scroll position falls short.
  const least = Math.ceil((top - scrolled) / row - 1e-6);
  const start = Math.max(0, least, first - (((first % step) + step) % step));
  const stop = Math.min(count, Math.floor(top / row) + Math.ceil(view / row) + 1 + OVERSCAN);
  const above = Math.max(0, Math.round(start * row - top + scrolled));
  return { start, stop, above, below: Math.max(0, height - above - (stop - start) * row) };
}

/** The scroll position that brings row `at` into view; `scrollTop` itself where it already is. */
export function scrollFor(at: number, scrollTop: number, frame: Frame): number {
  const stretch = stretchOf(frame);
  const top = at * frame.row;
  const now = scrollTop * stretch;
  if (top < now) return top / stretch;
  return top + frame.row > now + frame.view ? (top + frame.row - frame.view) / stretch : scrollTop;
}

/** Row after `key` in row `from` of `count`, `page` rows to a page; null where the key moves nothing. */
export function rowAfterKey(key: string, from: number, count: number, page: number): number | null {
  const steps: Record<string, number> = {
    ArrowDown: 1,
    ArrowUp: -1,
    PageDown: page,
    PageUp: -page,
    Home: -count,
    End: count,
  };
  const by = steps[key];
  return by === undefined || count === 0 ? null : Math.max(0, Math.min(count - 1, from + by));
}
