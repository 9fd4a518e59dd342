import path from "node:path";
import { type Ini, optionOf, parseIni } from "./ini.ts";
import type { ContainerRoot } from "./inside.ts";
import { expandWildcards } from "./wildcards.ts";

/** Where a supervisord serves its XML-RPC. */
export type SupervisorServer = {
  readonly credentials: { readonly user: string; readonly password: string } | null;
} & (
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "inet"; readonly address: string; readonly port: number }
);

/** What a configuration says: servers in the order in which to try them; why others cannot be used. */
export interface SupervisorConfig {
  readonly servers: readonly SupervisorServer[];
  readonly obstacles: readonly string[];
}

/** Of one file, and of all together: what is beyond is not read. */
const maxFileBytes = 128 << 10;
const maxBytes = 512 << 10;
const mostFiles = 200;

export interface ConfigSurroundings {
  readonly files: Pick<ContainerRoot, "read" | "list">;
  /** Working directory of supervisord. */
  readonly cwd: string;
  /** `KEY=value` */
  readonly environ: readonly string[];
}

/**
 * Reads the first of the files that is there, with what it includes.
 * @returns undefined when there is none
 */
export function readSupervisorConfig(
  paths: readonly string[],
  surroundings: ConfigSurroundings,
): SupervisorConfig | undefined {
  const { files, cwd, environ } = surroundings;
  for (const file of paths) {
    const text = files.read(file, maxFileBytes)?.toString("utf8");
    if (text === undefined) continue;
    const folder = path.posix.dirname(file);
    const expansions = new Map(environ.map((entry) => [`ENV_${nameIn(entry)}`, valueIn(entry)]));
    const ini: Ini = new Map();
    parseIni(withHere(text, folder), ini);
    let left = maxBytes - text.length;
    for (const included of includedFiles(ini, folder, expansions, files)) {
      if (left <= 0) break;
      const more = files.read(included, maxFileBytes)?.toString("utf8");
      if (more !== undefined) parseIni(withHere(more, path.posix.dirname(included)), ini);
      left -= more?.length ?? 0;
    }
    return toConfig(ini, cwd, expansions);
  }
  return undefined;
}

const nameIn = (entry: string): string => entry.split("=", 1)[0] ?? "";
const valueIn = (entry: string): string => entry.slice(nameIn(entry).length + 1);

/** `%(here)s` is the folder of the file that it stands in; no text grows beyond the limit by it. */
const withHere = (text: string, folder: string): string =>
  text.replaceAll("%(here)s", () => folder).slice(0, maxFileBytes);

function includedFiles(
  ini: Ini,
  folder: string,
  expansions: ReadonlyMap<string, string>,
  files: Pick<ContainerRoot, "list">,
): readonly string[] {
  const patterns = expand(optionOf(ini, "include", "files") ?? "", expansions);
  return (patterns ?? "")
    .split(/\s+/)
    .filter(Boolean)
    .slice(0, mostFiles)
    .flatMap((pattern) => expandWildcards(path.posix.resolve(folder, pattern), files))
    .slice(0, mostFiles);
}

/** Python's `text % expansions`; undefined when something in it is not known. */
function expand(text: string, expansions: ReadonlyMap<string, string>): string | undefined {
  let known = true;
  const expanded = text.replace(/%(?:%|\(([^()%]{1,200})\)s)?/g, (all: string, name: string | undefined) => {
    if (all === "%%") return "%";
    const value = name === undefined ? undefined : expansions.get(name);
    if (value === undefined) known = false;
    return value ?? "";
  });
  return known ? expanded : undefined;
}

function toConfig(ini: Ini, cwd: string, expansions: ReadonlyMap<string, string>): SupervisorConfig {
  const servers: SupervisorServer[] = [];
  const obstacles: string[] = [];
  for (const kind of ["unix", "inet"] as const) {
    for (const section of [...ini.keys()].filter((name) => name.split(":", 1)[0] === `${kind}_http_server`)) {
      const get = (option: string): string | undefined => {
        const value = optionOf(ini, section, option);
        const expanded = value === undefined ? undefined : expand(value, expansions);
        if (value !== undefined && expanded === undefined)
          obstacles.push(`[${section}] ${option} has a part that cannot be told`);
        return expanded;
      };
      const where = kind === "unix" ? unixServer(get("file"), cwd) : inetServer(get("port"));
      const credentials = credentialsOf(get("username"), get("password"));
      if (typeof where === "string") obstacles.push(`[${section}] ${where}`);
      else if (typeof credentials === "string") obstacles.push(`[${section}] ${credentials}`);
      else servers.push({ ...where, credentials });
    }
  }
  return { servers, obstacles };
}

type Where =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "inet"; readonly address: string; readonly port: number };

function unixServer(file: string | undefined, cwd: string): Where | string {
  return file === undefined || file === ""
    ? "has no file"
    : { kind: "unix", path: path.posix.resolve(cwd, file) };
}

/** `9001`, `*:9001`, `127.0.0.1:9001`, `localhost:9001`: where it listens on all addresses, the loopback's is one. */
function inetServer(port: string | undefined): Where | string {
  const match = /^(?:([^:\s]*):)?(\d{1,5})$/.exec(port ?? "");
  if (match === null) return `has no port that can be read: ${JSON.stringify(port ?? null)}`;
  const [, host = "", number] = match;
  const address = /^(\*|localhost|0\.0\.0\.0|)$/i.test(host) ? "127.0.0.1" : host;
  if (!/^(\d{1,3}\.){3}\d{1,3}$/.test(address) || address.split(".").some((part) => Number(part) > 255))
    return `port has a host name, not an address: ${JSON.stringify(host)}`;
  return Number(number) > 65_535 || Number(number) === 0
    ? `has no such port: ${number}`
    : { kind: "inet", address, port: Number(number) };
}

function credentialsOf(
  user: string | undefined,
  password: string | undefined,
): SupervisorServer["credentials"] | string {
  if (user === undefined || password === undefined) return null;
  return password.startsWith("{SHA}")
    ? "has only the password's hash ({SHA}…), and the password is needed"
    : { user, password };
}
