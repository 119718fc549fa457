// The page of a curated list.
import "../elements/curated-list.ts";
