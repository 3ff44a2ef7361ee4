// Draws docs/pictures/*.svg with Graphviz (compiled to WebAssembly, so every computer draws the same) from the graphs on
// standard input, as `cargo run -p contract-tests --bin pictures` prints them. With --check it changes nothing and fails
// where a file is not as it would be drawn.
import { createRequire } from "node:module";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(new URL("../.local/validators/package.json", import.meta.url));
const { Graphviz } = await import(pathToFileURL(require.resolve("@hpcc-js/wasm-graphviz")).href);
const folder = new URL("../docs/pictures/", import.meta.url).pathname;
const checks = process.argv.includes("--check");

// Colours for light and for dark pages. Style rules win over the attributes that Graphviz writes.
const STYLE = `
text{font-family:Helvetica,Arial,sans-serif;fill:#1f2328}
.node polygon,.node ellipse,.node path{fill:#f6f8fa;stroke:#57606a}
.edge path{stroke:#57606a}.edge polygon{fill:#57606a;stroke:#57606a}.edge text{fill:#57606a}
.cluster polygon{fill:none;stroke:#8c959f;stroke-dasharray:4 3}.cluster text{fill:#57606a}
.choice polygon{fill:#fff8c5}.wait ellipse{fill:#eaeef2}.end polygon{fill:#ffebe9}.group polygon{fill:#eaeef2}
.dms polygon{fill:#ddf4ff}.native polygon{fill:#dafbe1}.safe polygon{fill:#dafbe1}.users polygon{fill:#ffd8b5}
.elsewhere polygon{fill:#ffffff;stroke-dasharray:3 2}
.failure path{stroke-dasharray:4 3;stroke:#a40e26}.failure polygon{fill:#a40e26;stroke:#a40e26}
@media (prefers-color-scheme:dark){
text,.cluster text{fill:#e6edf3}.edge text{fill:#9198a1}
.node polygon,.node ellipse,.node path{fill:#21262d;stroke:#9198a1}
.edge path{stroke:#9198a1}.edge polygon{fill:#9198a1;stroke:#9198a1}.cluster polygon{fill:none;stroke:#656c76}
.choice polygon{fill:#3b3000}.wait ellipse,.group polygon{fill:#30363d}.end polygon{fill:#4a1c1c}
.dms polygon{fill:#0c2d4d}.native polygon,.safe polygon{fill:#0f3d1e}.users polygon{fill:#5a3510}
.elsewhere polygon{fill:#0d1117}
.failure path{stroke:#ff7b72}.failure polygon{fill:#ff7b72;stroke:#ff7b72}
}`;

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** The drawing without what differs between versions or is of no use: comments, identifiers, tooltips. */
function tidy(svg, title) {
  return svg
    .replace(/^[\s\S]*?<svg /, '<svg role="img" ')
    .replaceAll(/<!--[\s\S]*?-->\n?/g, "")
    .replaceAll(/<title>[\s\S]*?<\/title>\n?/g, "")
    .replaceAll(/ id="[^"]*"/g, "")
    .replaceAll(' xml:space="preserve"', "")
    .replace(/>\n/, `>\n<title>${escaped(title)}</title>\n<style>${STYLE}</style>\n`);
}

const graphviz = await Graphviz.load();

function draw(name, dot) {
  try {
    return graphviz.layout(dot, "svg", "dot");
  } catch (error) {
    console.error(`${name}: ${error.message}`); // without the library's source, which is one line of 200 kB
    process.exit(1);
  }
}

const pictures = JSON.parse(readFileSync(0, "utf8"));
const stale = [];
mkdirSync(folder, { recursive: true });
for (const { name, title, dot } of pictures) {
  const path = join(folder, `${name}.svg`);
  const drawn = tidy(draw(name, dot), title);
  let current = "";
  try {
    current = readFileSync(path, "utf8");
  } catch {} // a new picture
  if (current === drawn) continue;
  stale.push(path);
  if (!checks) writeFileSync(path, drawn);
}
const known = new Set(pictures.map(({ name }) => `${name}.svg`));
for (const file of readdirSync(folder).filter((file) => !known.has(file))) {
  stale.push(join(folder, file));
  if (!checks) rmSync(join(folder, file));
}
for (const path of stale) console.log(checks ? `${path}: not as it would be drawn; run make pictures` : `  ${path}`);
process.exit(checks && stale.length > 0 ? 1 : 0);
