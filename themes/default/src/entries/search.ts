// The search page.
import "../elements/search-page.ts";
