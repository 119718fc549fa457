// The page that compares two texts.
import "../elements/contrast-page.ts";
