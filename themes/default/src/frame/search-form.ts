import { link } from "../core/links.ts";

const LABEL = "Search features and tokens";

/** The form of the search box. Scripts make it: without them nothing on a page could answer it. */
export function searchForm(): HTMLFormElement {
  const form = document.createElement("form");
  form.setAttribute("role", "search");
  form.action = link("search.html");
  const input = document.createElement("input");
  // Of type "text": only that may be a combobox, which it becomes. The keyboard of phones is that of a search all the same.
  Object.assign(input, { id: "q", name: "q", type: "text", placeholder: LABEL, autocomplete: "off", spellcheck: false });
  Object.assign(input, { inputMode: "search", enterKeyHint: "search" });
  input.setAttribute("aria-label", LABEL);
  const key = document.createElement("kbd");
  key.textContent = "/";
  form.append(input, key);
  return form;
}
