// Loaded without `defer`, ahead of everything: theme and embedding must hold before the first paint, and data is asked
// for while the other scripts are on their way.
import { readState } from "../core/state.ts";
import { markEmbedded } from "../embed/frame.ts";
import { embedOptions } from "../embed/options.ts";
import { askAhead } from "../frame/ahead.ts";
import { applyTheme, readTheme } from "../frame/theme.ts";

applyTheme(readTheme());
const embedding = embedOptions(readState());
if (embedding !== null) markEmbedded(embedding);
askAhead(document);
