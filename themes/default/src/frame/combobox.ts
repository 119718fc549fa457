/** Says to assistive technology that `input` offers the options in the list with the id `list`. */
export function prepareInput(input: HTMLInputElement, list: string): void {
  input.role = "combobox";
  input.autocomplete = "off";
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-expanded", "false");
  input.setAttribute("aria-controls", list);
  input.setAttribute("aria-keyshortcuts", "/ Control+K Meta+K");
}

/** The option `by` further than `from` among `count`, round and round; -1 is none of them. */
export function step(from: number, by: 1 | -1, count: number): number {
  if (count === 0) return -1;
  if (from === -1) return by === 1 ? 0 : count - 1;
  return (from + by + count) % count;
}
