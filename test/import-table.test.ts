import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import path from "node:path";
import { expect, test } from "@jest/globals";

const agent = path.join(__dirname, "../agent");

/** Folder or file → what it may import from. `main` stands for the files at the top that wire everything. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  model: [],
  ancestors: ["model"],
  log: [],
  nearest: [],
  spans: [],
  sizes: [],
  "setting-parsers": ["sizes", "spans"],
  redact: [],
  flags: ["errors", "nearest"],
  "signal-names": ["errors", "nearest"],
  "metric-choice": [],
  "named-groups": ["model"],
  api: ["model"],
  config: ["errors", "flags", "log", "metric-choice", "setting-parsers"],
  "host-namespaces": [],
  "host-root": ["errors", "host-namespaces"],
  loopback: [],
  "service-notice": ["errors", "log", "syscalls"],
  "netlink-batch": [],
  errno: [],
  "file-calls": [],
  "aio-calls": ["file-calls"],
  syscalls: ["aio-calls", "errno", "errors", "file-calls", "netlink-batch"],
  "namespace-calls": ["errno", "errors"],
  malloc: ["syscalls"],
  "program-pages": ["syscalls"],
  exec: [],
  "stand-in": [],
  source: ["model", "aio-calls", "api", "errno", "errors", "file-calls", "host-namespaces", "syscalls"],
  containers: ["model", "errors", "stand-in"],
  managers: ["model", "ancestors", "errors", "syscalls", "containers"],
  inventory: [
    "model",
    "ancestors",
    "api",
    "errors",
    "host-namespaces",
    "log",
    "named-groups",
    "signal-names",
    "source",
    "containers",
    "managers",
  ],
  control: [
    "model",
    "ancestors",
    "api",
    "errors",
    "log",
    "signal-names",
    "syscalls",
    "namespace-calls",
    "exec",
    "source",
    "containers",
    "managers",
  ],
  // The compatible families are tables over what source reads.
  metrics: ["model", "metric-choice", "named-groups", "source"],
  "yaml-file": ["errors"],
  http: [
    "model",
    "api",
    "errors",
    "log",
    "metric-choice",
    "nearest",
    "spans",
    "stand-in",
    "yaml-file",
    "metrics",
  ],
  cli: ["model", "api", "errors", "flags", "loopback", "nearest", "spans", "yaml-file"],
};

const wiring: ReadonlySet<string> = new Set([
  "main",
  "run-agent",
  "assemble-host",
  "assemble-control",
  "assemble-web",
  "assemble-configured-web",
  "assemble-exec",
  "assemble-namespaces",
  "assemble-app",
  "assemble-metrics",
  "assemble-collectors",
  "assemble-cadvisor",
  "assemble-node-host",
  "assemble-groups",
]);

/** Library → the only places that may know it. */
const doors: Readonly<Record<string, readonly string[]>> = {
  express: ["http"],
  ws: ["http", "cli"],
  zod: ["http", "cli", "yaml-file"],
  "prom-client": ["metrics"],
  pidusage: ["inventory"],
  systeminformation: ["inventory"],
  "docker-modem": ["containers"],
  koffi: ["syscalls", "namespace-calls"],
  sax: ["managers"],
  "string-argv": ["control"],
  "string-width": ["cli"],
  "fastest-levenshtein": ["nearest"],
  yaml: ["inventory", "yaml-file"],
  bcrypt: ["http"],
  re2js: ["inventory"],
};

/** Files over 300 lines: lists, of shapes, settings and system calls, which are better read in one place. */
const longFiles: readonly string[] = ["api.ts", "config.ts", "syscalls.ts"];

interface Import {
  readonly file: string;
  readonly from: string;
  /** A part of the agent, or a library's name. */
  readonly to: string;
  readonly isLibrary: boolean;
}

const files = readdirSync(agent, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".ts"),
);

const partOf = (file: string): string => file.split("/")[0]?.replace(/\.ts$/, "") ?? "";

function importsOf(file: string): readonly Import[] {
  const text = readFileSync(path.join(agent, file), "utf8");
  const specifiers = [...text.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)"([^"]+)"/g)].map(
    (match) => match[1] ?? "",
  );
  return specifiers.map((specifier) => {
    const isLibrary = !specifier.startsWith(".");
    const target = path.relative(agent, path.resolve(agent, path.dirname(file), specifier));
    return { file, from: partOf(file), to: isLibrary ? specifier : partOf(target), isLibrary };
  });
}

const imports = files.flatMap(importsOf);

test("imports follow the data's path", () => {
  const wrong = imports.filter(({ from, to, isLibrary }) => {
    if (isLibrary || from === to || wiring.has(from)) return false;
    return !(mayImport[from] ?? []).includes(to);
  });
  expect(wrong.map(({ file, to }) => `${file} imports ${to}`)).toEqual([]);
});

test("every outside library has one door", () => {
  const builtin = new Set(builtinModules.map((name) => `node:${name}`));
  const wrong = imports.filter(({ from, to, isLibrary }) => {
    if (!isLibrary || builtin.has(to)) return false;
    return !(doors[to] ?? []).includes(from);
  });
  expect(wrong.map(({ file, to }) => `${file} imports ${to}`)).toEqual([]);
});

test("every part and library of the tables is there", () => {
  const seen = new Set(imports.flatMap(({ from, to }) => [from, to]));
  expect(
    [...Object.keys(mayImport), ...Object.keys(doors), ...wiring].filter((name) => !seen.has(name)),
  ).toEqual([]);
});

test("one file starts programs, and only the driver without an engine asks it to", () => {
  const usersOf = (part: string): readonly string[] =>
    imports.filter(({ to, from }) => to === part && from !== part).map(({ file }) => file);
  const starting = files.filter((file) =>
    /import [^;]*\bspawn\b[^;]*from "node:child_process"/.test(readFileSync(path.join(agent, file), "utf8")),
  );
  expect(starting).toEqual(["exec.ts"]);
  expect(usersOf("exec").toSorted()).toEqual(["control/namespace-helper.ts", "control/namespace-start.ts"]);
});

test("what changes a process for good is called by the helper that ends afterwards", () => {
  const text = (file: string): string => readFileSync(path.join(agent, file), "utf8");
  const callers = files.filter((file) => /import \{[^}]*\} from "[^"]*namespace-calls\.ts"/.test(text(file)));
  const others = callers.filter(
    (file) => !/import type \{[^}]*\} from "[^"]*namespace-calls/.test(text(file)),
  );
  expect(others).toEqual(["control/namespace-helper.ts"]);
});

test("no file is longer than a few screens", () => {
  const long = files.filter((file) => readFileSync(path.join(agent, file), "utf8").split("\n").length > 301);
  expect(long).toEqual(longFiles);
});
