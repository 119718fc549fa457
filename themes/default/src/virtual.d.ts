/** Publishes every module of src/core on `globalThis.atlasCore` (see build.mjs). */
declare module "virtual:core";
/** Imports `panels/<kind>/panel.ts` of every panel that has one (see build.mjs). */
declare module "virtual:panels";
