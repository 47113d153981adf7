// node build.mjs [FOLDER]: the page's script, style and document, into the Python package (or FOLDER).
// The same sources and the versions in package-lock.json give the same bytes.
import { build } from "esbuild";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import path from "node:path";

const here = path.dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? path.join(here, "..", "src", "dettrack", "view", "app");

await mkdir(out, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: { app: "src/main.ts" },
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome110", "firefox115", "safari16.4"],
  charset: "utf8",
  legalComments: "none",
  outdir: out,
});
await build({
  absWorkingDir: here,
  entryPoints: { app: "src/main.ts" },
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome110", "firefox115", "safari16.4"],
  charset: "utf8",
  legalComments: "none",
  outdir: out,
  define: { DEVELOPMENT: "false" },
});
await build({ absWorkingDir: here, entryPoints: { app: "src/app.css" }, minify: true, outdir: out });
await writeFile(path.join(out, "index.html"), await readFile(path.join(here, "src", "index.html")));
