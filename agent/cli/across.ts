import { AgentError, type ErrorCode, errorCatalogue } from "../errors.ts";
import { createApiClient } from "./api-client.ts";
import {
  type Command,
  type CommandContext,
  type CommandInput,
  type Flag,
  type HostAnswer,
  printedJson,
  type TableCommand,
} from "./command.ts";
import { findHosts, type Host, type HostChoice } from "./hosts.ts";
import { pad, safe } from "./text.ts";

const defaultParallel = 8;
const mostParallel = 64;

/** How the agents of `--hosts` are asked. */
export const acrossFlags: readonly Flag[] = [
  {
    name: "parallel",
    value: "COUNT",
    meaning: `ask so many of --hosts at a time; ${defaultParallel} when left out, ${mostParallel} at most`,
  },
  {
    name: "canary",
    value: "COUNT",
    meaning: "act on the first so many of --hosts, on the others only when all of these succeeded",
  },
];

/** How several agents are asked. */
interface Spread {
  /** So many at a time. */
  readonly parallel: number;
  /** So many first; the others only when all of these have succeeded. */
  readonly canary: number | undefined;
}

interface Outcome {
  readonly host: Host;
  readonly answer?: unknown;
  /** Beside an answer: it says that not all was done. */
  readonly error?: AgentError;
}

/**
 * Runs a command for the agents of `--hosts`.
 * @returns 0; where some failed 6; where all failed alike, the exit code of that
 * @throws AgentError `bad_request` before any agent is asked
 */
export async function runAcross(
  command: Command,
  context: CommandContext,
  choice: HostChoice,
): Promise<number> {
  const { flags } = context;
  if (flags.has("host")) throw new AgentError("bad_request", "--host and --hosts: one of them is enough");
  const across = command.across?.(flags);
  if (across === undefined)
    throw new AgentError("bad_request", `${command.name} is for one host, not for --hosts`);
  if (flags.has("canary") && !canActAcross(command, flags))
    throw new AgentError("bad_request", `--canary is for commands that act, not for ${command.name}`);
  const spread: Spread = {
    parallel: countOf("parallel", flags, mostParallel) ?? defaultParallel,
    canary: countOf("canary", flags, Number.MAX_SAFE_INTEGER),
  };
  const hosts = await findHosts(choice);
  return typeof across === "string"
    ? runEach(command.run, hosts, context, spread, across)
    : runTable(across, hosts, context, spread);
}

export function canActAcross(command: Command, flags: ReadonlyMap<string, string>): boolean {
  const across = command.across?.(flags);
  return typeof across === "object" && across.acts === true;
}

function countOf(name: string, flags: ReadonlyMap<string, string>, most: number): number | undefined {
  const text = flags.get(name);
  if (text === undefined) return undefined;
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= most) return count;
  const range = most === Number.MAX_SAFE_INTEGER ? "from 1 on" : `from 1 to ${most}`;
  throw new AgentError("bad_request", `--${name}: "${text}" is no number ${range}`);
}

/** Shows one table; what failed is told host by host. */
async function runTable(
  table: TableCommand<unknown>,
  hosts: readonly Host[],
  context: CommandContext,
  { parallel, canary }: Spread,
): Promise<number> {
  const asked = hosts.map((host) => ({ host, input: inputFor(host, context) }));
  const first = await inTurn(asked.slice(0, canary), parallel, (one) => askOne(table, one));
  const isGood = first.every(({ error }) => error === undefined);
  const rest = isGood ? await inTurn(asked.slice(first.length), parallel, (one) => askOne(table, one)) : [];
  const outcomes = [...first, ...rest];
  const notTried = hosts.slice(outcomes.length);
  const answers = outcomes.flatMap(({ host, answer }): HostAnswer<unknown>[] =>
    answer === undefined ? [] : [{ host: host.name, answer }],
  );
  if (!printedJson(context, describeAll(outcomes, notTried)) && answers.length > 0)
    table.show(answers, context);
  return report(outcomes, notTried, context);
}

/** Runs a command of one agent for each; its output stands below the host's name, or behind it on every line. */
async function runEach(
  run: (input: CommandInput) => Promise<number>,
  hosts: readonly Host[],
  context: CommandContext,
  { parallel }: Pick<Spread, "parallel">,
  kind: "sections" | "lines",
): Promise<number> {
  const width = Math.max(...hosts.map(({ name }) => name.length));
  const asked = hosts.map((host) => ({ host, input: inputFor(host, context) }));
  // A stream lasts: those behind the limit would never be seen.
  const limit = kind === "lines" ? hosts.length : parallel;
  const outcomes = await inTurn(asked, limit, async ({ host, input }): Promise<Outcome> => {
    let text = "";
    const out = (part: string): void => {
      if (kind === "sections") text += part;
      else context.out(withHost(part, host.name, width, context));
    };
    try {
      await run({ ...input, out });
      return { host, answer: text };
    } catch (error) {
      return { host, answer: text, error: asFailure(error) };
    }
  });
  if (kind === "sections") showSections(outcomes, context);
  return report(outcomes, [], context);
}

function inputFor(host: Host, context: CommandContext): CommandInput {
  return { ...context, api: createApiClient(host.address, host.credentials) };
}

async function askOne(
  table: TableCommand<unknown>,
  { host, input }: { readonly host: Host; readonly input: CommandInput },
): Promise<Outcome> {
  let answer: unknown;
  try {
    answer = await table.ask(input);
    table.check?.(answer, input);
    return { host, answer };
  } catch (error) {
    return { host, answer, error: asFailure(error) };
  }
}

/** A fault of ours is not one of a host's. */
function asFailure(error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  throw error;
}

/** @returns the results in the order of the items */
async function inTurn<Item, Result>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      const item = items[index] as Item;
      results[index] = await work(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}

/** As JSON: every host with its answer, as the API gave it, or with its error. */
function describeAll(outcomes: readonly Outcome[], notTried: readonly Host[]): unknown {
  return {
    hosts: outcomes.map(({ host, answer, error }) => ({
      host: host.name,
      ...(answer === undefined ? {} : { answer }),
      ...(error === undefined
        ? {}
        : { error: { code: error.code, detail: error.message, ...error.details } }),
    })),
    notTried: notTried.map(({ name }) => name),
  };
}

function withHost(line: string, host: string, width: number, { flags, table }: CommandContext): string {
  if (flags.has("json")) return `${JSON.stringify({ host, ...JSON.parse(line) })}\n`;
  return `${table.style("bold", pad(host, width, "right"))}  ${line}`;
}

function showSections(outcomes: readonly Outcome[], context: CommandContext): void {
  const told = outcomes.filter(({ answer }) => answer !== "");
  if (context.flags.has("json")) {
    const parsed = outcomes.map(({ answer, ...rest }) =>
      answer === "" ? rest : { ...rest, answer: JSON.parse(String(answer)) },
    );
    context.out(`${JSON.stringify(describeAll(parsed, []), null, 2)}\n`);
    return;
  }
  const sections = told.map(
    ({ host, answer }) => `${context.table.style("bold", `== ${host.name} ==`)}\n${answer}`,
  );
  context.out(sections.join("\n"));
}

function report(outcomes: readonly Outcome[], notTried: readonly Host[], { err }: CommandContext): number {
  const failed = outcomes.flatMap(({ host, error }) => (error === undefined ? [] : [{ host, error }]));
  if (failed.length === 0) return 0;
  for (const { host, error } of failed) {
    err(`pidward: ${host.name}: ${safe(error.message)}\n`);
    const { candidates } = error.details;
    if (Array.isArray(candidates)) for (const one of candidates) err(`  ${safe(String(one))}\n`);
  }
  const names = (hosts: readonly Host[]): string => hosts.map(({ name }) => name).join(", ");
  const left = notTried.length === 0 ? "" : `; not tried: ${names(notTried)}`;
  err(
    `pidward: ${failed.length} of ${outcomes.length + notTried.length} hosts failed: ${names(failed.map(({ host }) => host))}${left}\n`,
  );
  return exitCodeOf(
    failed.map(({ error }) => error.code),
    outcomes.length + notTried.length,
  );
}

function exitCodeOf(codes: readonly ErrorCode[], hosts: number): number {
  const [first, ...others] = new Set(codes.map((code) => errorCatalogue[code].exitCode));
  return codes.length === hosts && first !== undefined && others.length === 0
    ? first
    : errorCatalogue.failed.exitCode;
}
