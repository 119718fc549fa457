/** Rows to draw of a long list. */
export interface Window {
  /** First row to draw. */
  start: number;
  /** One past the last. */
  stop: number;
}

/** Rows drawn beyond each edge, so that a short scroll shows no gap. */
const OVERSCAN = 12;

/** The rows of `count` that are in view, and some beyond, in steps that keep redraws rare. */
export function windowOf(scrollTop: number, viewHeight: number, rowHeight: number, count: number): Window {
  const first = Math.floor(scrollTop / rowHeight);
  const visible = Math.ceil(viewHeight / rowHeight) + 1;
  const start = Math.max(0, Math.min(first, count - visible) - OVERSCAN);
  const stepped = start - (start % (OVERSCAN / 2));
  return { start: stepped, stop: Math.min(count, first + visible + OVERSCAN) };
}

/** The scroll position that brings `row` into view; `scrollTop` itself where it already is. */
export function scrollFor(row: number, scrollTop: number, viewHeight: number, rowHeight: number): number {
  const top = row * rowHeight;
  if (top < scrollTop) return top;
  return Math.max(scrollTop, top + rowHeight - viewHeight);
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
