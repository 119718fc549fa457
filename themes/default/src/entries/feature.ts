// The feature page.
import "../elements/feature.ts";
import "../elements/cite.ts";
import "../elements/guide.ts";
import "../elements/star.ts";
import { startFigures } from "../figures/start.ts";

startFigures();
