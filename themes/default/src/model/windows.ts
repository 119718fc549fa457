// The twin of atlas/reader/windows.py.

const REPLACEMENT = "\ufffd";
const LONE = /\p{Surrogate}/gu;

/** `text` as valid Unicode, and how many lone surrogates were replaced by U+FFFD in it. */
export function wellFormed(text: string): { text: string; replaced: number } {
  let replaced = 0;
  const mended = text.replace(LONE, () => {
    replaced++;
    return REPLACEMENT;
  });
  return { text: mended, replaced };
}

/** The windows of one text, one after the other. */
export interface Windows {
  /** All tokens, inserted BOS included. */
  ids: number[];
  /** Which of them are BOS that no text holds. */
  bos: boolean[];
  /** First token and one past the last of each window. */
  bounds: [number, number][];
}

/**
 * `ids` cut into windows of at most `contextSize` tokens, BOS included. Each begins with `bos`, where that is not null.
 * No tokens, no windows.
 */
export function cutWindows(ids: readonly number[], contextSize: number, bos: number | null): Windows {
  const inserted = bos === null ? [] : [bos];
  const room = Math.max(1, contextSize - inserted.length);
  const windows: Windows = { ids: [], bos: [], bounds: [] };
  for (let start = 0; start < ids.length; start += room) {
    const own = ids.slice(start, start + room);
    const first = windows.ids.length;
    // Not by spreading: a text may have more tokens than a call takes arguments.
    for (const id of inserted) add(windows, id, true);
    for (const id of own) add(windows, id, false);
    windows.bounds.push([first, windows.ids.length]);
  }
  return windows;
}

function add({ ids, bos }: Windows, id: number, isInserted: boolean): void {
  ids.push(id);
  bos.push(isInserted);
}
