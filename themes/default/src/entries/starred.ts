// The page of the reader's own lists.
import "../elements/lists-page.ts";
