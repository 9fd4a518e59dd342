import type { Finding } from "../api.ts";
import type { ApiClient } from "./api-client.ts";
import type { TableSettings } from "./table.ts";

export interface Flag {
  readonly name: string;
  /** One letter: `i` for `-i`. */
  readonly short?: string;
  readonly repeatable?: true;
  /** What stands behind it in the help; empty: a switch. */
  readonly value: string;
  readonly meaning: string;
}

/** The program's own streams, for what carries bytes. Each is made when it is first asked for, as `process` does. */
export interface Stdio {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** What a command is given besides the agent. */
export interface CommandContext {
  readonly args: readonly string[];
  /** Flags as given; a switch has the text `true`. */
  readonly flags: ReadonlyMap<string, string>;
  /** All values of the repeatable flags that were given, in their order. */
  readonly repeated: ReadonlyMap<string, readonly string[]>;
  /** How many of `args` stand before `--`; all of them where there is none. */
  readonly beforeDashes: number;
  readonly table: TableSettings;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly stdio: Stdio;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly examineHost: () => Promise<readonly Finding[]>;
}

export interface CommandInput extends CommandContext {
  readonly api: ApiClient;
}

/** What one agent answered; `host` is undefined where only one was asked. */
export interface HostAnswer<Answer> {
  readonly host: string | undefined;
  readonly answer: Answer;
}

/** A command whose answers of several agents are one table. */
export interface TableCommand<Answer> {
  /** Whether something is changed by it. */
  readonly acts?: true;
  ask(input: CommandInput): Promise<Answer>;
  show(answers: readonly HostAnswer<Answer>[], context: CommandContext): void;
  /** @throws AgentError for an answer that says that not all was done */
  check?(answer: Answer, context: CommandContext): void;
}

/**
 * How a command is asked of several agents: one table; or run for each, with its output below the host's name (`sections`)
 * or with the name before every line (`lines`).
 */
export type Across = TableCommand<unknown> | "sections" | "lines";

/** One command: a row of the table in commands.ts. */
export interface Command {
  readonly name: string;
  /** The arguments, as the usage line shows them. */
  readonly args: string;
  readonly least: number;
  readonly most: number;
  readonly summary: string;
  readonly flags: readonly Flag[];
  /** @returns the exit code; @throws AgentError, which becomes a message and its code's exit code */
  readonly run: (input: CommandInput) => Promise<number>;
  /** Left out: it is for one agent. @throws AgentError `bad_request` for flags that are for one agent */
  readonly across?: (flags: ReadonlyMap<string, string>) => Across;
}

export const jsonFlag: Flag = { name: "json", value: "", meaning: "print the API's answer as JSON" };

/** Prints the API's answer when asked for; tells whether it did. */
export function printedJson(context: CommandContext, answer: unknown): boolean {
  if (!context.flags.has("json")) return false;
  context.out(`${JSON.stringify(answer, null, 2)}\n`);
  return true;
}

/** Asks one agent. */
export async function runAlone<Answer>(table: TableCommand<Answer>, input: CommandInput): Promise<number> {
  const answer = await table.ask(input);
  if (!printedJson(input, answer)) table.show([{ host: undefined, answer }], input);
  table.check?.(answer, input);
  return 0;
}
