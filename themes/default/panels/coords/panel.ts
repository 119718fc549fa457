// The small map on the feature page.
import "../../src/elements/minimap.ts";
