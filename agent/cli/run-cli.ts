import { styleText } from "node:util";
import type { Finding } from "../api.ts";
import { AgentError } from "../errors.ts";
import { type Arguments, readArguments } from "../flags.ts";
import { nearest } from "../nearest.ts";
import { acrossFlags, canActAcross, runAcross } from "./across.ts";
import { createApiClient } from "./api-client.ts";
import type { Command, CommandContext, Flag, Stdio } from "./command.ts";
import { commands } from "./commands.ts";
import { credentialFlags } from "./credentials.ts";
import { commandHelp, generalHelp, type SettingHelp } from "./help.ts";
import { findHost, hostFlag, hostsFileFlag, hostsFlag } from "./hosts.ts";
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

/** Of every command that asks an agent. They may stand before its name too. */
const agentFlags: readonly Flag[] = [hostFlag, hostsFlag, hostsFileFlag, ...acrossFlags, ...credentialFlags];

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
  const leading = countLeading(argv);
  const name = argv[leading];
  const rest = argv.slice(leading + 1);
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
  if (name !== "agent") return runCommand(findCommand(name), [...argv.slice(0, leading), ...rest], parts);
  if (leading > 0)
    throw new AgentError("bad_request", `${argv[0]} is for commands that ask an agent, not for agent`);
  return parts.runAgent(rest);
}

/** How many words stand before the command's name: flags of an agent to ask, with their values. */
function countLeading(argv: readonly string[]): number {
  let index = 0;
  for (;;) {
    const [flag, value] = (argv[index] ?? "").split("=", 2);
    if (!agentFlags.some((one) => `--${one.name}` === flag)) return index;
    index += value === undefined ? 2 : 1;
    if (index > argv.length) throw new AgentError("bad_request", `${flag} needs a value`);
  }
}

function helpOf(name: string, parts: CliParts): string {
  return name === "agent"
    ? commandHelp("agent", "run the agent on this host", parts.settings)
    : commandHelp(...describe(findCommand(name)));
}

function describe(command: Command): [string, string, readonly SettingHelp[]] {
  const several = command.across === undefined ? [] : [hostsFlag];
  const spread = acrossFlags.filter(
    ({ name }) => command.across !== undefined && (name !== "canary" || canActAcross(command, new Map())),
  );
  const flags = [...command.flags, hostFlag, ...several, ...spread, hostsFileFlag, ...credentialFlags];
  const rows = flags.map((flag) => ({
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

async function runCommand(command: Command, argv: readonly string[], parts: CliParts): Promise<number> {
  const { args, flags, repeated, beforeDashes } = readCommandLine(command, argv);
  const context: CommandContext = {
    args,
    flags,
    repeated,
    beforeDashes,
    table: { width: parts.columns, style: styleFor(parts) },
    out: parts.out,
    err: parts.err,
    stdio: parts.stdio,
    env: parts.env,
    examineHost: parts.examineHost,
  };
  const choice = { flags, env: parts.env, defaultHost: parts.defaultHost };
  if (flags.has("hosts")) return runAcross(command, context, choice);
  for (const name of ["parallel", "canary"])
    if (flags.has(name)) throw new AgentError("bad_request", `--${name} goes with --hosts`);
  const { address, credentials } = await findHost(choice);
  return command.run({ ...context, api: createApiClient(address, credentials) });
}

/** @throws AgentError `bad_request` that names the flag or argument */
function readCommandLine(command: Command, argv: readonly string[]): Arguments {
  // Said before its flags are taken for unknown ones of ours.
  if (command.args.includes("-- ") && !argv.includes("--"))
    throw new AgentError(
      "bad_request",
      `the command to run stands behind --: ${command.name} ${command.args}`,
    );
  const given = readArguments(argv, [...command.flags, ...agentFlags], `of ${command.name}`);
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
