// Bundles the scripts: `node build.mjs` writes dist/*.js, `node build.mjs --tests` writes .cache/test/*.mjs.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const CORE = join(HERE, "src", "core");
/** The page for missing addresses tries several paths for one script, so a second run must do nothing. */
const ONCE = { banner: { js: "if(!globalThis.atlasCore){" }, footer: { js: "}" } };
const STAMP = "sources.sha256";
/** The runtimes of the model: the renderer cuts them into data files, because a page can fetch nothing else. */
const ORT = join(HERE, "node_modules", "onnxruntime-web", "dist");
const RUNTIMES = { "ort.wasm": "ort-wasm-simd-threaded.wasm", "ort.webgpu.wasm": "ort-wasm-simd-threaded.jspi.wasm" };
/** Goes ahead of the bundle that holds them, into every site, as their licences ask. */
const NOTICES = `
Feature Atlas runs models with ONNX Runtime Web (onnxruntime-web) and Tokenizers.js (@huggingface/tokenizers).

Tokenizers.js: Copyright The Hugging Face team. Licensed under the Apache License, Version 2.0.

ONNX Runtime Web, here and in data/model: Copyright (c) Microsoft Corporation. MIT License.
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:
The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.
THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`;
/** Ways to ask the network, which the runtime's own loader would take: it gets bytes instead, and has none of them. */
const NO_NETWORK = { fetch: "undefined", XMLHttpRequest: "undefined" };

/** Every file that decides what the bundles hold, as sorted paths with forward slashes. */
function sources() {
  const walk = (path) =>
    statSync(path).isDirectory() ? readdirSync(path).flatMap((name) => walk(join(path, name))) : [path];
  const files = [
    ...walk(join(HERE, "src")).filter((path) => path.endsWith(".ts")),
    join(HERE, "build.mjs"),
    join(HERE, "package-lock.json"),
  ];
  return files.map((path) => relative(HERE, path).split(sep).join("/")).sort();
}

function exists(path) {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** The same digest that hatch_build.py computes, so that finished bundles need no Node. */
function digest() {
  const hash = createHash("sha256");
  for (const name of sources())
    hash
      .update(name)
      .update("\0")
      .update(readFileSync(join(HERE, name)))
      .update("\0");
  return hash.digest("hex");
}

function scriptsIn(folder, ending) {
  if (!exists(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => join(folder, name));
}

/** `virtual:core` publishes src/core on one global; other bundles take core modules from there. */
const publishCore = {
  name: "publish-core",
  setup(build) {
    build.onResolve({ filter: /^virtual:core$/ }, () => ({ path: "core", namespace: "publish" }));
    build.onLoad({ filter: /.*/, namespace: "publish" }, () => {
      const names = scriptsIn(CORE, ".ts").map((path) => basename(path, ".ts"));
      const imports = names.map((name, at) => `import * as m${at} from "./${name}.ts";`);
      const entries = names.map((name, at) => `"${name}": m${at}`);
      const contents = `${imports.join("\n")}\nglobalThis.atlasCore = { ${entries.join(", ")} };`;
      return { contents, loader: "ts", resolveDir: CORE };
    });
  },
};

/** Core modules hold state (loaded shards) and weigh most (lit), so each is loaded once, by site.js. */
const shareCore = {
  name: "share-core",
  setup(build) {
    build.onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ path, resolveDir }) => {
      const full = join(resolveDir, path);
      return dirname(full) === CORE ? { path: basename(full, ".ts"), namespace: "shared" } : undefined;
    });
    build.onLoad({ filter: /.*/, namespace: "shared" }, ({ path }) => ({
      contents: `module.exports = globalThis.atlasCore["${path}"];`,
      loader: "js",
    }));
  },
};

/** `virtual:versions` tells scripts the digests of the bundles they may load later: the end of their addresses. */
const tellVersions = (files) => ({
  name: "tell-versions",
  setup(build) {
    build.onResolve({ filter: /^virtual:versions$/ }, () => ({ path: "versions", namespace: "versions" }));
    build.onLoad({ filter: /.*/, namespace: "versions" }, () => {
      const digest = (bytes) => createHash("sha256").update(bytes).digest("hex").slice(0, 8);
      const versions = files.map(({ path, contents }) => [basename(path, ".js"), digest(contents)]);
      return { contents: JSON.stringify(Object.fromEntries(versions)), loader: "json" };
    });
  },
});

/** Writes through a rename, and only what changed: a render may be reading the folder. */
function replaceFolder(folder, files) {
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of files) {
    const path = join(folder, name);
    if (exists(path) && Buffer.compare(readFileSync(path), bytes) === 0) continue;
    writeFileSync(`${path}.part`, bytes);
    renameSync(`${path}.part`, path);
  }
  for (const name of readdirSync(folder))
    if (!files.has(name)) rmSync(join(folder, name), { recursive: true });
}

/** Source of the model's worker, around one of the builds of the runtime. */
async function workerSource(esbuild, common, alias = {}) {
  const built = await esbuild.build({
    ...common,
    entryPoints: [join(HERE, "src", "model", "worker", "main.ts")],
    define: NO_NETWORK,
    alias,
    // What the runtime's loader asks its own address for, it is given.
    logOverride: { "empty-import-meta": "silent" },
  });
  return built.outputFiles[0].text;
}

/** A script that registers the worker's source: a blob is the only worker that a page from a disk may start. */
async function bundleWorker(esbuild, common) {
  const source = JSON.stringify(await workerSource(esbuild, common));
  const contents = Buffer.from(`/*!${NOTICES}*/\nglobalThis.atlasModelWorker=${source};\n`);
  return { path: "model-worker.js", contents };
}

/** The worker that runs the model with WebGPU; the renderer makes a data file of it where that is wanted. */
async function webgpuWorker(esbuild, common) {
  const source = await workerSource(esbuild, common, { "onnxruntime-web/wasm": "onnxruntime-web/jspi" });
  return Buffer.from(`/*!${NOTICES}*/\n${source}`);
}

async function bundle(esbuild) {
  const common = {
    absWorkingDir: HERE,
    bundle: true,
    format: "iife",
    target: "es2022",
    minify: true,
    charset: "ascii",
    legalComments: "none",
    outdir: "dist",
    write: false,
    logLevel: "warning",
  };
  const entries = scriptsIn(join(HERE, "src", "entries"), ".ts");
  const isAlone = (path) => ["site.ts", "theme.ts"].includes(basename(path));
  const later = await esbuild.build({
    ...common,
    entryPoints: entries.filter((path) => !isAlone(path)),
    plugins: [shareCore],
  });
  const loaded = [...later.outputFiles, await bundleWorker(esbuild, common)];
  const first = await esbuild.build({
    ...common,
    entryPoints: entries.filter(isAlone),
    plugins: [publishCore, tellVersions(loaded)],
    ...ONCE,
  });
  const outputs = [...loaded, ...first.outputFiles];
  const files = new Map(outputs.map((file) => [basename(file.path), Buffer.from(file.contents)]));
  files.set("worker.webgpu", await webgpuWorker(esbuild, common));
  for (const [name, path] of Object.entries(RUNTIMES)) files.set(name, readFileSync(join(ORT, path)));
  replaceFolder(join(HERE, "dist"), files.set(STAMP, Buffer.from(`${digest()}\n`)));
}

async function bundleTests(esbuild) {
  rmSync(join(HERE, ".cache", "test"), { recursive: true, force: true });
  await esbuild.build({
    absWorkingDir: HERE,
    entryPoints: scriptsIn(join(HERE, "test"), ".test.ts"),
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: "inline",
    outdir: ".cache/test",
    outExtension: { ".js": ".mjs" },
    plugins: [tellVersions([])],
    logLevel: "warning",
  });
}

const esbuild = await import("esbuild");
await (process.argv.includes("--tests") ? bundleTests(esbuild) : bundle(esbuild));
