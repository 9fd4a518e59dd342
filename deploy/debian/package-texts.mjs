// Texts of the Debian package that are made of the agent's own tables and of its dependencies:
// `settings APP` is /etc/default/pidward, `manual APP` the manual page, `copyright APP NODE-LICENSE` the licences of all that is
// in it. APP is the folder with dist/ and node_modules/.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [what, folder, nodeLicense] = process.argv.slice(2);
const app = resolve(folder);

const load = (file) => createRequire(import.meta.url)(join(app, "dist", file));
const texts = { settings, manual, copyright };
process.stdout.write(texts[what]());

/** Every setting with its default, commented out. */
function settings() {
  const blocks = settingsOfRoot().map(
    ({ flag, environment, fallback, meaning }) => `# ${flag}: ${meaning}\n#${environment}=${fallback}\n`,
  );
  const head =
    "# Settings of the service pidward; systemctl restart pidward makes them take effect.\n# What stands here is the default.\n";
  return `${head}\n${blocks.join("\n")}`;
}

function settingsOfRoot() {
  return load("config.js").settingRows({ env: {}, uid: 0, home: "/root", hostRoot: "/" });
}

/** pidward(8), in the macros of man(7). */
function manual() {
  const asText = (text) =>
    text
      .replaceAll("\\", "\\e")
      .replaceAll("-", "\\-")
      .replaceAll(/^(?=[.'])/gm, "\\&");
  const item = (name, meaning) => `.TP\n.B ${asText(name)}\n${asText(meaning)}`;
  const { version, description } = JSON.parse(readFileSync(join(app, "package.json"), "utf8"));
  return [
    `.TH PIDWARD 8 "" "pidward ${version}"`,
    ".SH NAME",
    `pidward \\- ${asText(description)}`,
    ".SH COMMANDS",
    ...load("cli/commands.js")
      .commandRows()
      .map(({ usage, summary }) => item(`pidward ${usage}`, summary)),
    ".SH SETTINGS",
    asText("Of the agent: as flags of pidward agent, or in its environment (/etc/default/pidward)."),
    ...settingsOfRoot().map(({ flag, environment, fallback, meaning }) =>
      item(`${flag}, ${environment}`, fallback === "" ? meaning : `${meaning} Default: ${fallback}`),
    ),
    ".SH FILES",
    item("/run/pidward/pidward.sock", "Where the agent is asked by the other commands."),
    item("/var/lib/pidward/audit.jsonl", "What was done, by whom."),
    "",
  ].join("\n");
}

/** Machine-readable as Debian's copyright-format 1.0 has it. */
function copyright() {
  const standard = "See /usr/share/common-licenses/Apache-2.0";
  const own = paragraph("*", "The pidward authors", "Apache-2.0", standard);
  const node = paragraph(
    "usr/lib/pidward/bin/node",
    "Node.js contributors and others, see below",
    "Node.js",
    readFileSync(nodeLicense, "utf8"),
  );
  const rest = packages(join(app, "node_modules")).map(({ path, name, author, license, text }) => {
    const files = `usr/lib/pidward/${path.slice(app.length + 1)}/*`;
    if (license === "Apache-2.0") return paragraph(files, author, license, standard);
    // One licence text a package, in its own words: their copyright lines differ.
    return paragraph(files, author, `${license} of ${name}`.replaceAll(/[ ,]+/g, "-"), text || license);
  });
  const head =
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: pidward\n";
  return [head, own, node, ...rest].join("\n");
}

function paragraph(files, holder, license, text) {
  const body = text
    .trim()
    .split("\n")
    .map((line) => (line.trim() === "" ? " ." : ` ${line.trimEnd()}`));
  return `Files: ${files}\nCopyright: ${holder}\nLicense: ${license}\n${body.join("\n")}\n`;
}

/** All packages below a node_modules, in the order of their paths. The texts that an image does without are the checkout's. */
function packages(modules) {
  if (!existsSync(modules)) return [];
  const names = readdirSync(modules).filter((name) => !name.startsWith("."));
  const paths = names.flatMap((name) =>
    name.startsWith("@") ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`) : [name],
  );
  return paths.sort().flatMap((name) => {
    const path = join(modules, name);
    const original = path.replace(app, process.cwd());
    const { license, author } = JSON.parse(readFileSync(join(original, "package.json"), "utf8"));
    const text = readdirSync(original).find((file) => /^(licen[cs]e|copying)/i.test(file));
    const described = {
      path,
      name,
      license: String(license ?? "unknown"),
      text: text === undefined ? "" : readFileSync(join(original, text), "utf8"),
      author: (typeof author === "string" ? author : author?.name) ?? `The authors of ${name}`,
    };
    return [described, ...packages(join(path, "node_modules"))];
  });
}
