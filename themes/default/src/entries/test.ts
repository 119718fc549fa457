// The page for a text of the reader's own.
import "../elements/test-page.ts";
