/** Shown instead of a number that does not exist. */
export const NO_DATA = "\u2013";

const NARROW_SPACE = "\u202f";

/** `1234567` as `1,234,567`, with a true minus sign. */
export function integer(value: number): string {
  return minus(fixed(value, 0));
}

/** How many of what `noun` calls one: `1 token`, `1,234 tokens`. */
export function counted(count: number, noun: string): string {
  return `${integer(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** `value` to `digits` significant digits, as atlas/render/numbers.py writes it. */
export function decimal(value: number | null, digits = 4): string {
  if (value === null || !Number.isFinite(value)) return NO_DATA;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e7) return minus(value.toExponential(digits - 1).replace("e+", "e"));
  const places = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return minus(fixed(value, places));
}

/** `0.00115` as `0.115 %`. */
export function percent(fraction: number | null, digits = 3): string {
  if (fraction === null || !Number.isFinite(fraction)) return NO_DATA;
  return `${decimal(fraction * 100, digits)}${NARROW_SPACE}%`;
}

/** With sign and two decimals, or two digits where that would be zero: `+2.31`, `−0.0042`. */
export function signed(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return NO_DATA;
  const sign = value < 0 ? "\u2212" : "+";
  const size = Math.abs(value);
  if (size !== 0 && size < 0.01) return sign + decimal(size, 2);
  return sign + fixed(size, 2);
}

/** How often something happens: `1 in 870 tokens`, from half on `63 % of tokens`. Both are positive. */
export function oneIn(count: number, total: number): string {
  if (count * 2 >= total) return `${percent(count / total)} of tokens`;
  return `1 in ${ratio(count / total)} tokens`;
}

/** 1 / `share`, in words of `oneIn`: two digits below ten, else whole. */
export function ratio(share: number): string {
  const inverse = 1 / share;
  return inverse < 10 ? decimal(inverse, 2) : integer(Math.round(inverse));
}

const WHOLE = new Set(["tokens", "contexts", "documents", "count", "id", "none"]);

/** A scalar column's value in the manner of its unit (a key of UNITS in atlas/schema.py). */
export function scalar(value: number | null, unit: string): string {
  if (value === null || !Number.isFinite(value)) return NO_DATA;
  if (WHOLE.has(unit) && Number.isInteger(value)) return integer(value);
  return unit === "fraction" ? percent(value) : decimal(value);
}

const formats = new Map<number, Intl.NumberFormat>();

/** `value` with so many decimals and commas between thousands. */
function fixed(value: number, places: number): string {
  // A format takes a hundred times as long to make as to use: a feature page writes a thousand numbers.
  let format = formats.get(places);
  if (format === undefined) {
    format = new Intl.NumberFormat("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
    formats.set(places, format);
  }
  return format.format(value);
}

function minus(text: string): string {
  return text.replaceAll("-", "\u2212");
}
