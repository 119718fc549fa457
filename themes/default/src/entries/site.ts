// On every page. Core comes first: the elements and all other bundles build on it.
import "virtual:core";
import "../elements/search-box.ts";
import "../elements/theme-toggle.ts";
import { startCopying } from "../frame/copy.ts";
import { startKeys } from "../frame/keys.ts";
import { startRandom } from "../frame/random.ts";
import { mendLinks, suggestFeature } from "../frame/missing.ts";
import { startEmbed } from "../embed/frame.ts";
import { offerInstalling } from "../offline/install.ts";

startKeys();
startCopying();
startRandom();
mendLinks();
suggestFeature();
offerInstalling();
if (document.documentElement.dataset["embed"] !== undefined) startEmbed();
