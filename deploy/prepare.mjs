#!/usr/bin/env node
// Brings a checkout to the point where it can run: installs the dependencies when they are missing or older than the
// lock file, and builds dist/ when it is missing or older than a source. `--deps` and `--build` do one of the two.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, statSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const only = process.argv.slice(2);
const at = (...parts) => join(root, ...parts);
const changedAt = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (error !== undefined || status !== 0) {
    process.stderr.write(
      `prepare: "${command} ${args.join(" ")}" failed${error ? `: ${error.message}` : ""}\n`,
    );
    process.exit(status || 1);
  }
}

function newestSource() {
  const sources = readdirSync(at("agent"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => changedAt(join(entry.parentPath ?? entry.path, entry.name)));
  return Math.max(changedAt(at("tsconfig.json")), changedAt(at("package.json")), ...sources);
}

// npm writes node_modules/.package-lock.json at the end of an install. `npm ci` runs the `prepare` script, which
// comes back here with --build.
if (
  !only.includes("--build") &&
  changedAt(at("node_modules/.package-lock.json")) < changedAt(at("package-lock.json"))
) {
  process.stderr.write("prepare: installing the dependencies (npm ci)\n");
  run("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
  const now = new Date();
  utimesSync(at("node_modules/.package-lock.json"), now, now);
}

const tsc = at("node_modules/.bin/tsc");
if (!only.includes("--deps") && existsSync(tsc) && changedAt(at("dist/main.js")) < newestSource()) {
  process.stderr.write("prepare: building dist/\n");
  run(tsc, ["-p", "tsconfig.json"]);
  const now = new Date();
  utimesSync(at("dist/main.js"), now, now);
}
// A link to it is the command.
if (existsSync(at("dist/main.js"))) chmodSync(at("dist/main.js"), 0o755);
