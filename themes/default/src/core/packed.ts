const MAGIC = 0x0a_31_46_41;

/** Bytes that are no feature shard, or are cut short. */
export class PackedError extends Error {}

/** The singles' own text, `0.1` for what float32 makes `0.10000000149011612`: the fewest digits that give it back. */
export function shortest(value: number): number {
  if (!Number.isFinite(value) || Number.isInteger(value)) return value;
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}

/** The single of a rank: singles in order, one more for the next larger (`atlas.render.feature_shards`). */
export function singleOf(rank: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, rank < 0 ? 0x80000000 - rank : rank);
  return view.getFloat32(0);
}

/** The rank of a single. */
export function rankOf(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
  return bits >= 0x80000000 ? 0x80000000 - bits : bits;
}

/** 0, 1, 2, 3 … back to 0, -1, 1, -2 …. */
export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** Reads LEB128 numbers one after another. */
export class Varints {
  private readonly bytes: Uint8Array;
  private readonly end: number;
  /** Place of the next number. */
  at: number;

  constructor(bytes: Uint8Array, at: number, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** Whether no number is left. */
  get done(): boolean {
    return this.at === this.end;
  }

  /** The next number, below 2^53; throws `PackedError` beyond the end. */
  next(): number {
    // No shifts: they would cut numbers off at 32 bits.
    let value = 0;
    let unit = 1;
    for (;;) {
      if (this.at >= this.end) throw new PackedError("has too few numbers");
      const byte = this.bytes[this.at++] as number;
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
      unit *= 0x80;
    }
  }
}

/** Reads the bytes of a feature shard, which `atlas.render.packing` describes: integers, singles and doubles, each in turn. */
export class Unpacker<Text> {
  readonly text: Text;
  private readonly numbers: Varints;
  private readonly singleValues: Float32Array;
  private readonly doubleValues: Float64Array;
  private single = 0;
  private double = 0;

  /** Throws `PackedError` where `bytes` are not of this form. */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < 20 || view.getUint32(0, true) !== MAGIC) throw new PackedError("is no feature shard");
    const [words, integers, singles, doubles] = [4, 8, 12, 16].map((place) => view.getUint32(place, true)) as [
      number,
      number,
      number,
      number,
    ];
    const first = 20 + words;
    const end = first + integers;
    if (bytes.length !== end + 4 * singles + 8 * doubles) throw new PackedError("is cut short");
    this.text = JSON.parse(new TextDecoder().decode(bytes.subarray(20, first))) as Text;
    this.numbers = new Varints(bytes, first, end);
    const planes = bytes.subarray(end);
    this.singleValues = new Float32Array(joined(planes.subarray(0, 4 * singles), 4).buffer);
    this.doubleValues = new Float64Array(joined(planes.subarray(4 * singles), 8).buffer);
  }

  /** The next `count` integers. */
  integers(count: number): number[] {
    const found = new Array<number>(count);
    for (let index = 0; index < count; index++) found[index] = this.numbers.next();
    return found;
  }

  /** The next `count` integers of both signs. */
  signed(count: number): number[] {
    return this.integers(count).map(unzigzag);
  }

  /** The next `count` integers, each more than a smallest one that comes first. */
  based(count: number): number[] {
    const least = unzigzag(this.numbers.next());
    return this.integers(count).map((value) => value + least);
  }

  /** The next `count` singles in as few digits as give them back; null for none. */
  singles(count: number): (number | null)[] {
    return Array.from(this.rawSingles(count), (value) => (Number.isNaN(value) ? null : shortest(value)));
  }

  /** The next `count` singles as they are. */
  rawSingles(count: number): Float32Array {
    const found = this.singleValues.subarray(this.single, this.single + count);
    if (found.length !== count) throw new PackedError("has too few numbers");
    this.single += count;
    return found;
  }

  /** The next `count` doubles; null for none. */
  doubles(count: number): (number | null)[] {
    const found = this.doubleValues.subarray(this.double, this.double + count);
    if (found.length !== count) throw new PackedError("has too few numbers");
    this.double += count;
    return Array.from(found, (value) => (Number.isNaN(value) ? null : value));
  }

  /** Throws `PackedError` unless all numbers have been read. */
  finish(): void {
    const { singleValues, doubleValues } = this;
    if (!this.numbers.done || this.single !== singleValues.length || this.double !== doubleValues.length) {
      throw new PackedError("has numbers left over");
    }
  }
}

/** Planes of bytes, all lowest first, back to numbers of `width` bytes each in the machine's order. */
function joined(planes: Uint8Array, width: number): Uint8Array {
  const count = planes.length / width;
  const found = new Uint8Array(planes.length);
  for (let plane = 0; plane < width; plane++) {
    for (let index = 0; index < count; index++) {
      found[index * width + plane] = planes[plane * count + index] as number;
    }
  }
  return found;
}
