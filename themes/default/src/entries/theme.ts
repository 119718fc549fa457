// Loaded without `defer`, ahead of everything: theme and embedding must hold before the first paint.
import { readState } from "../core/state.ts";
import { markEmbedded } from "../embed/frame.ts";
import { embedOptions } from "../embed/options.ts";
import { applyTheme, readTheme } from "../frame/theme.ts";

applyTheme(readTheme());
const embedding = embedOptions(readState());
if (embedding !== null) markEmbedded(embedding);
