// Loaded without `defer`, ahead of everything: the remembered theme must hold before the first paint.
import { applyTheme, readTheme } from "../frame/theme.ts";

applyTheme(readTheme());
