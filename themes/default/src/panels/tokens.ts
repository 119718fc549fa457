import { html, nothing } from "../core/lit.ts";
import { choice } from "../feature/choice.ts";
import type { TokenList } from "../feature/view.ts";
import { registerPanel } from "./registry.ts";
import { fullBar, note, sampleNote, showTokens, tokenRows } from "./token-list.ts";

interface List {
  id: TokenList;
  column: string;
  label: string;
  /** What is counted. */
  counted: string;
}

const LISTS: readonly List[] = [
  { id: "on", column: "top_tokens", label: "fires on", counted: "Firings" },
  { id: "before", column: "tokens_before", label: "just before", counted: "Firings with that token before them" },
  { id: "after", column: "tokens_after", label: "just after", counted: "Firings with that token after them" },
];

registerPanel("top_tokens", {
  takes: ({ name }) => LISTS.some(({ column }) => column === name),
  draw: (entries, { data, view, change }) => {
    const lists = LISTS.flatMap((list) => {
      const entry = entries.find(({ column }) => column.name === list.column);
      const rows = entry === undefined ? [] : tokenRows(entry, data.shard.pieces);
      return entry === undefined || rows.length === 0 ? [] : [{ ...list, entry, rows }];
    });
    const shown = lists.find(({ id }) => id === view.tokens) ?? lists[0];
    if (shown === undefined) return nothing;
    const settings = lists.map(({ id, label, entry }) => ({
      label,
      doc: entry.column.doc,
      pressed: id === shown.id,
      act: () => change({ tokens: id }),
    }));
    return html`${lists.length > 1 ? choice("", settings) : nothing}
    ${showTokens(shown.rows, fullBar(shown.entry, shown.rows, data), shown.entry.column.label)}
    ${note(`${shown.counted}; the bar is their mean activation. ${sampleNote(data, shown.column)}`)}`;
  },
});
