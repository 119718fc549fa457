// The map page.
import "../elements/map.ts";
