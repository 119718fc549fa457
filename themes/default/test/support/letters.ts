/** `bytes` as the letters of a data file, bit by bit as `atlas.store.letters` defines them. */
export function toLetters(bytes: Uint8Array): string {
  const fill = (7 - (bytes.length % 7)) % 7;
  const bits = [...bytes, ...new Array<number>(fill).fill(0)].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const numbers = (bits.match(/.{14}/g) ?? []).map((digits) => parseInt(digits, 2));
  return [...numbers, fill].map((v) => String.fromCharCode(0x3030 + 256 * Math.floor(v / 128) + (v % 128))).join("");
}
