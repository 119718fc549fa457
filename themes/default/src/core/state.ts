/** The view of a page as its address says it; empty values are left out. */
export type ViewState = Record<string, string>;

/** `search` ("?a=1&b=2") as an object; of a repeated name the last counts. */
export function parseState(search: string): ViewState {
  return Object.fromEntries(new URLSearchParams(search));
}

/** `search` with `changes` applied; an empty value removes the name. Other names keep their order. */
export function mergeState(search: string, changes: ViewState): string {
  const parameters = new URLSearchParams(search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "") parameters.delete(name);
    else parameters.set(name, value);
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

/** The current address's view. */
export function readState(): ViewState {
  return parseState(window.location.search);
}

/** Writes `changes` into the address without a new history entry. */
export function writeState(changes: ViewState): void {
  const { pathname, search, hash } = window.location;
  const merged = mergeState(search, changes);
  if (merged === search) return;
  try {
    window.history.replaceState(null, "", `${pathname}${merged}${hash}`);
  } catch {
    // Browsers refuse beyond some hundred changes in half a minute; the next change writes it all.
  }
}
