/**
 * The q-value of each p-value: the smallest false discovery rate at which it would be among the discoveries (Benjamini &
 * Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x). Holds for tests that are independent or positively dependent.
 */
export function benjaminiHochberg(p: Float64Array): Float64Array {
  const order = Uint32Array.from(p.keys()).sort((a, b) => (p[a] ?? 0) - (p[b] ?? 0));
  const q = new Float64Array(p.length);
  let least = 1;
  for (let rank = p.length; rank > 0; rank--) {
    const at = order[rank - 1] ?? 0;
    least = Math.min(least, ((p[at] ?? 0) * p.length) / rank);
    q[at] = least;
  }
  return q;
}
