// On every page. Core comes first: the elements and all other bundles build on it.
import "virtual:core";
import "../elements/search-box.ts";
import "../elements/theme-toggle.ts";
import { startCopying } from "../frame/copy.ts";
import { startKeys } from "../frame/keys.ts";
import { startRandom } from "../frame/random.ts";
import { suggestFeature } from "../frame/missing.ts";

startKeys();
startCopying();
startRandom();
suggestFeature();
