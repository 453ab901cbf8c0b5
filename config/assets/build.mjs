// Builds what pages load into built/: one script a file in src/, one style sheet, the icons that templates name.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { globSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const ROOT = join(import.meta.dirname, "../..");
const BUILT = join(import.meta.dirname, "built");
const ICONS = join(import.meta.dirname, "node_modules/lucide-static/icons");

/** The symbols of every icon that a template names with {% icon "name" %}, or a script with icon("name"). */
function sprite() {
  const sources = [
    ...globSync("{config,tenants,projects,training,fleet,workers}/**/templates/**/*.html", { cwd: ROOT }),
    ...globSync("{config,tenants,projects,training,fleet,workers}/web/*.py", { cwd: ROOT }),
    ...globSync("config/assets/src/**/*.ts", { cwd: ROOT }),
  ].filter((path) => !path.includes("node_modules"));
  const named = /(?:\bicon=?[ (:]*"|icon=")([a-z0-9-]+)"/g;
  const names = new Set(["circle-help"]);
  for (const path of sources) {
    for (const [, name] of readFileSync(join(ROOT, path), "utf8").matchAll(named)) names.add(name);
  }
  const symbols = [...names].sort().map((name) => {
    let svg;
    try {
      svg = readFileSync(join(ICONS, `${name}.svg`), "utf8");
    } catch {
      throw new Error(`there is no icon "${name}"; lucide.dev lists those there are`);
    }
    const inner = svg.replace(/<!--.*?-->/gs, "").replace(/^\s*<svg[^>]*>/s, "").replace(/<\/svg>\s*$/s, "").trim();
    return `<symbol id="${name}" viewBox="0 0 24 24">${inner.replace(/\s+/g, " ")}</symbol>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("\n")}</svg>\n`;
}

rmSync(BUILT, { recursive: true, force: true });
mkdirSync(BUILT, { recursive: true });
const entries = readdirSync(join(import.meta.dirname, "src")).filter((name) => name.endsWith(".ts"));
await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: entries.map((name) => join("src", name)),
  outdir: BUILT,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "linked",
  logLevel: "warning",
});
execFileSync(
  process.execPath,
  ["node_modules/@tailwindcss/cli/dist/index.mjs", "--input", "src/app.css", "--output", join(BUILT, "app.css"), "--minify"],
  { cwd: import.meta.dirname, stdio: ["ignore", "ignore", "inherit"] },
);
writeFileSync(join(BUILT, "icons.svg"), sprite());
copyFileSync(join(import.meta.dirname, "src/mark.svg"), join(BUILT, "mark.svg"));
