import { styleText } from "node:util";
import type { Finding } from "../api.ts";
import { AgentError } from "../errors.ts";
import { type Arguments, readArguments } from "../flags.ts";
import { nearest } from "../nearest.ts";
import { createApiClient } from "./api-client.ts";
import type { Command, Flag, Stdio } from "./command.ts";
import { commands } from "./commands.ts";
import { credentialFlags, readCredentials } from "./credentials.ts";
import { commandHelp, generalHelp, type SettingHelp } from "./help.ts";
import type { Style } from "./table.ts";
import { safe } from "./text.ts";

/** The outside world of the command line. */
export interface CliParts {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly stdio: Stdio;
  /** Width of the terminal that `out` is; undefined when it is none. */
  readonly columns: number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where an agent is looked for when nothing names one. */
  readonly defaultHost: string;
  readonly version: string;
  readonly settings: readonly SettingHelp[];
  /** Runs until the agent has ended; gives the exit code. */
  readonly runAgent: (argv: readonly string[]) => Promise<number>;
  readonly examineHost: () => Promise<readonly Finding[]>;
}

const hostFlag: Flag = {
  name: "host",
  value: "ADDRESS",
  meaning: "the agent: unix:///path or http(s)://host:port (also PIDWARD_HOST)",
};

/** @param argv what stands behind the program's name; @returns the exit code */
export async function runCli(argv: readonly string[], parts: CliParts): Promise<number> {
  try {
    return await dispatch(argv, parts);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    parts.err(`pidward: ${safe(error.message)}\n`);
    const { candidates } = error.details;
    if (Array.isArray(candidates)) {
      for (const candidate of candidates) parts.err(`  ${safe(String(candidate))}\n`);
    }
    return error.exitCode;
  }
}

async function dispatch(argv: readonly string[], parts: CliParts): Promise<number> {
  const [name, ...rest] = argv;
  // What stands behind `--` is another program's.
  const own = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
  const asksHelp = own.includes("--help") || own.includes("-h");
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    parts.out(rest[0] === undefined ? generalHelp(parts.version) : helpOf(rest[0], parts));
    return name === undefined ? 2 : 0;
  }
  if (name === "--version") {
    parts.out(`pidward ${parts.version}\n`);
    return 0;
  }
  if (asksHelp) {
    parts.out(helpOf(name, parts));
    return 0;
  }
  if (name === "agent") return parts.runAgent(rest);
  return runCommand(findCommand(name), rest, parts);
}

function helpOf(name: string, parts: CliParts): string {
  return name === "agent"
    ? commandHelp("agent", "run the agent on this host", parts.settings)
    : commandHelp(...describe(findCommand(name)));
}

function describe(command: Command): [string, string, readonly SettingHelp[]] {
  const rows = [...command.flags, hostFlag, ...credentialFlags].map((flag) => ({
    flag: [flag.short && `-${flag.short},`, `--${flag.name}`, flag.value].filter(Boolean).join(" "),
    meaning: flag.repeatable === true ? `${flag.meaning}; may be repeated` : flag.meaning,
  }));
  return [`${command.name} ${command.args}`.trim(), command.summary, rows];
}

function findCommand(name: string): Command {
  const found = commands.find((command) => command.name === name);
  if (found !== undefined) return found;
  const kind = name.startsWith("-") ? "flag" : "command";
  const guess = nearest(name, ["agent", "help", ...commands.map((command) => command.name)]);
  const hint = guess === undefined ? 'see "pidward help"' : `did you mean ${guess}?`;
  throw new AgentError("bad_request", `unknown ${kind} ${name}; ${hint}`);
}

function runCommand(command: Command, argv: readonly string[], parts: CliParts): Promise<number> {
  const { args, flags, repeated, beforeDashes } = readCommandLine(command, argv);
  const host = flags.get("host") ?? (parts.env.PIDWARD_HOST || parts.defaultHost);
  return command.run({
    args,
    flags,
    repeated,
    beforeDashes,
    api: createApiClient(host, readCredentials(flags, parts.env)),
    table: { width: parts.columns, style: styleFor(parts) },
    out: parts.out,
    err: parts.err,
    stdio: parts.stdio,
    env: parts.env,
    examineHost: parts.examineHost,
  });
}

/** @throws AgentError `bad_request` that names the flag or argument */
function readCommandLine(command: Command, argv: readonly string[]): Arguments {
  // Said before its flags are taken for unknown ones of ours.
  if (command.args.includes("-- ") && !argv.includes("--"))
    throw new AgentError(
      "bad_request",
      `the command to run stands behind --: ${command.name} ${command.args}`,
    );
  const given = readArguments(argv, [...command.flags, hostFlag, ...credentialFlags], `of ${command.name}`);
  const { args } = given;
  if (args.length < command.least)
    throw new AgentError("bad_request", `${command.name} needs ${command.args}`);
  const extra = args[command.most];
  if (extra !== undefined)
    throw new AgentError("bad_request", `unexpected argument "${extra}" of ${command.name}`);
  return given;
}

/** Colour only on a terminal that has it, and not against the user's wish (no-color.org). */
function styleFor({ columns, env }: CliParts): Style {
  if (columns === undefined || env.NO_COLOR || env.TERM === "dumb") return (_, text) => text;
  return (colour, text) => styleText(colour, text, { validateStream: false });
}
