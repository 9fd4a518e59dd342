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

/** What a command is given. */
export interface CommandInput {
  readonly args: readonly string[];
  /** Flags as given; a switch has the text `true`. */
  readonly flags: ReadonlyMap<string, string>;
  /** All values of the repeatable flags that were given, in their order. */
  readonly repeated: ReadonlyMap<string, readonly string[]>;
  /** How many of `args` stand before `--`; all of them where there is none. */
  readonly beforeDashes: number;
  readonly api: ApiClient;
  readonly table: TableSettings;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly stdio: Stdio;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly examineHost: () => Promise<readonly Finding[]>;
}

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
}

export const jsonFlag: Flag = { name: "json", value: "", meaning: "print the API's answer as JSON" };

/** Prints the API's answer when asked for; tells whether it did. */
export function printedJson(input: CommandInput, answer: unknown): boolean {
  if (!input.flags.has("json")) return false;
  input.out(`${JSON.stringify(answer, null, 2)}\n`);
  return true;
}
