/** Publishes every module of src/core on `globalThis.atlasCore` (see build.mjs). */
declare module "virtual:core";
/** Name of a bundle → what changes in its address when it changes (see build.mjs). */
declare module "virtual:versions" {
  const versions: Record<string, string>;
  export default versions;
}
