import { readFileSync } from "node:fs";
import path from "node:path";
import { AgentError, reasonOf, systemCode } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { Flag } from "./command.ts";
import { type CredentialFiles, type Credentials, readCredentials } from "./credentials.ts";
import { isAddress } from "./host-names.ts";
import type { HostsFile } from "./hosts-file.ts";

/** An agent that is to be asked. */
export interface Host {
  /** As the user named it: `web-1`, or its address. */
  readonly name: string;
  readonly address: string;
  readonly credentials: Credentials;
}

export const hostFlag: Flag = {
  name: "host",
  value: "HOST",
  meaning: "the agent: unix:///path, http(s)://host:port, or a name of the hosts file (also PIDWARD_HOST)",
};

/** For commands that can be asked of several agents at once. */
export const hostsFlag: Flag = {
  name: "hosts",
  value: "HOST,@GROUP",
  meaning: "several agents at once; @all: every host of the hosts file",
};

export const hostsFileFlag: Flag = {
  name: "hosts-file",
  value: "FILE",
  meaning:
    "names of hosts and groups (also PIDWARD_HOSTS_FILE); else ~/.config/pidward/hosts.yml, /etc/pidward/hosts.yml",
};

export interface HostChoice {
  readonly flags: ReadonlyMap<string, string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where an agent is looked for when nothing names one. */
  readonly defaultHost: string;
}

/**
 * The one agent that a command is for.
 * @throws AgentError `bad_request` that names the flag, the file or the host
 */
export async function findHost(choice: HostChoice): Promise<Host> {
  const given = choice.flags.get("host") ?? (choice.env.PIDWARD_HOST || choice.defaultHost);
  const file = isAddress(given) ? undefined : await readHostsFile(choice);
  return describeHost(given, file, choice);
}

/**
 * The agents of `--hosts`, in the order in which they are named, each once.
 * @throws AgentError `bad_request` that names the flag, the file or the host
 */
export async function findHosts(choice: HostChoice): Promise<readonly Host[]> {
  const words = (choice.flags.get("hosts") ?? "").split(",").map((word) => word.trim());
  if (words.includes("")) throw new AgentError("bad_request", "--hosts: a name is missing");
  const file = words.every(isAddress) ? undefined : await readHostsFile(choice);
  const names = words.flatMap((word) => (word.startsWith("@") ? membersOf(word.slice(1), file) : [word]));
  const hosts = new Map<string, Host>();
  for (const name of names) {
    const host = describeHost(name, file, choice);
    // Whoever acts must not act twice on one agent.
    if (!hosts.has(host.address)) hosts.set(host.address, host);
  }
  if (hosts.size === 0)
    throw new AgentError("bad_request", `--hosts: there is no host in ${words.join(",")}`);
  return [...hosts.values()];
}

interface FoundFile {
  readonly path: string;
  readonly content: HostsFile;
}

function membersOf(group: string, file: FoundFile | undefined): readonly string[] {
  const { hosts = {}, groups = {} } = file?.content ?? {};
  const own = Object.hasOwn(groups, group) ? groups[group] : undefined;
  if (own !== undefined) return own;
  if (group === "all") return Object.keys(hosts);
  throw unknownName("group", group, [...Object.keys(groups), "all"], file);
}

function describeHost(name: string, file: FoundFile | undefined, { flags, env }: HostChoice): Host {
  if (isAddress(name)) return { name, address: name, credentials: readCredentials(flags, env) };
  const { hosts = {}, defaults = {} } = file?.content ?? {};
  const entry = Object.hasOwn(hosts, name) ? hosts[name] : undefined;
  if (entry === undefined) throw unknownName("host", name, Object.keys(hosts), file);
  const { address, ...own } = entry;
  const files = filesOf({ ...defaults, ...own }, path.dirname(file?.path ?? ""), env);
  return { name, address, credentials: readCredentials(flags, env, { of: `${file?.path}: ${name}`, files }) };
}

/** Relative ones are beside the hosts file. */
function filesOf(
  given: Partial<Record<"ca" | "cert" | "key" | "token_file", string | undefined>>,
  folder: string,
  env: HostChoice["env"],
): CredentialFiles {
  const locate = (file: string | undefined): string | undefined =>
    file?.startsWith("~/") ? path.join(env.HOME ?? "/", file.slice(2)) : file && path.resolve(folder, file);
  return {
    ca: locate(given.ca),
    cert: locate(given.cert),
    key: locate(given.key),
    "token-file": locate(given.token_file),
  };
}

function unknownName(
  kind: "host" | "group",
  name: string,
  known: readonly string[],
  file: FoundFile | undefined,
): AgentError {
  if (file === undefined)
    return new AgentError(
      "bad_request",
      `"${name}" is no address (unix:///path or http(s)://host:port), and there is no hosts file to name it`,
    );
  const guess = nearest(name, known);
  const hint = guess === undefined ? `known: ${known.join(", ") || "none"}` : `did you mean ${guess}?`;
  return new AgentError("bad_request", `${file.path} has no ${kind} "${name}"; ${hint}`);
}

async function readHostsFile({ flags, env }: HostChoice): Promise<FoundFile | undefined> {
  const named = flags.get("hosts-file") ?? env.PIDWARD_HOSTS_FILE;
  const config = env.XDG_CONFIG_HOME || (env.HOME && path.join(env.HOME, ".config"));
  const usual = [config && path.join(config, "pidward/hosts.yml"), "/etc/pidward/hosts.yml"];
  for (const file of named ? [named] : usual) {
    const text = file ? readText(file, Boolean(named)) : undefined;
    if (file === undefined || text === undefined) continue;
    // Only who names hosts pays for the libraries.
    const { parseHostsFile } = await import("./hosts-file.ts");
    return { path: file, content: parseHostsFile(text, file) };
  }
  return undefined;
}

function readText(file: string, isNamed: boolean): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (!isNamed && systemCode(error) === "ENOENT") return undefined;
    throw new AgentError("bad_request", `--hosts-file: ${reasonOf(error)}`, { cause: error });
  }
}
