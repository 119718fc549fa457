import versions from "virtual:versions";
import { link } from "./links.ts";

/** Bundles that a page loads only when a reader asks for what they hold. */
export type LazyBundle = "dialogs" | "figures" | "probe" | "model" | "model-worker";

const loading = new Map<LazyBundle, Promise<void>>();

/** Loads the bundle `name` once; rejects with an `Error` fit for people, and the next call tries again. */
export function loadBundle(name: LazyBundle): Promise<void> {
  const known = loading.get(name);
  if (known !== undefined) return known;
  const done = new Promise<void>((resolve, reject) => {
    const script = document.createElement("script");
    script.addEventListener("load", () => resolve());
    script.addEventListener("error", () => reject(new Error(`assets/${name}.js could not be loaded.`)));
    script.src = link(`assets/${name}.js?v=${versions[name] ?? ""}`);
    document.head.append(script);
  });
  loading.set(name, done);
  done.catch(() => loading.delete(name));
  return done;
}
