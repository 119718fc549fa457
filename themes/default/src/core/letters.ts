const FIRST = 0x3030;
/** What a letter may be above the first: two bytes of seven bits. */
const SPREAD = 0x7f7f;

/** The bytes that `text`, the letters of a data file, stands for (`atlas.store.letters`); throws where it stands for none. */
export function fromLetters(text: string): Uint8Array<ArrayBuffer> {
  const groups = (text.length - 1) / 4;
  const fill = text.charCodeAt(text.length - 1) - FIRST;
  if (!Number.isInteger(groups) || !(fill >= 0 && fill < 7) || (groups === 0 && fill > 0)) throw damaged();
  const bytes = new Uint8Array(7 * groups);
  let strange = 0;
  // No helper for a letter: a shard is read before the engine has made anything fast.
  for (let from = 0, to = 0; to < bytes.length; from += 4, to += 7) {
    const a = text.charCodeAt(from) - FIRST;
    const b = text.charCodeAt(from + 1) - FIRST;
    const c = text.charCodeAt(from + 2) - FIRST;
    const d = text.charCodeAt(from + 3) - FIRST;
    strange |= a | b | c | d;
    const left = ((a & 0x7f00) << 13) | ((a & 0x7f) << 14) | ((b & 0x7f00) >> 1) | (b & 0x7f);
    const right = ((c & 0x7f00) << 13) | ((c & 0x7f) << 14) | ((d & 0x7f00) >> 1) | (d & 0x7f);
    bytes[to] = left >> 20;
    bytes[to + 1] = left >> 12;
    bytes[to + 2] = left >> 4;
    bytes[to + 3] = (left << 4) | (right >> 24);
    bytes[to + 4] = right >> 16;
    bytes[to + 5] = right >> 8;
    bytes[to + 6] = right;
  }
  if ((strange & ~SPREAD) !== 0) throw damaged();
  return bytes.subarray(0, bytes.length - fill);
}

function damaged(): Error {
  return new Error("these are not the letters of bytes");
}
