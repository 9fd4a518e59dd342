import { parseArgs } from "node:util";
import { AgentError } from "./errors.ts";
import { nearest } from "./nearest.ts";

/** A flag that is known: `--name VALUE` or `--name=VALUE`; with an empty `value` a switch. */
export interface KnownFlag {
  readonly name: string;
  /** One letter: `i` for `-i`. */
  readonly short?: string | undefined;
  /** It may be given several times. */
  readonly repeatable?: true | undefined;
  /** What stands behind it in messages and the help. */
  readonly value: string;
}

export interface Arguments {
  readonly args: readonly string[];
  /** As given; a switch has the text `true`. The last one counts. */
  readonly flags: ReadonlyMap<string, string>;
  /** All values of the repeatable flags that were given, in their order. */
  readonly repeated: ReadonlyMap<string, readonly string[]>;
  /** How many of `args` stand before `--`; all of them where there is none. */
  readonly beforeDashes: number;
}

/**
 * Reads a command line against the flags that there are.
 * @param of what the flags belong to, for the messages: `of ps`; may be empty
 * @throws AgentError `bad_request` that names the flag, with the nearest known one
 */
export function readArguments(argv: readonly string[], known: readonly KnownFlag[], of: string): Arguments {
  const options = Object.fromEntries(
    known.map((flag) => [
      flag.name,
      {
        type: flag.value === "" ? ("boolean" as const) : ("string" as const),
        ...(flag.short === undefined ? {} : { short: flag.short }),
      },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const args: string[] = [];
  const flags = new Map<string, string>();
  const repeated = new Map<string, readonly string[]>();
  let beforeDashes: number | undefined;
  for (const token of tokens) {
    if (token.kind === "option-terminator") beforeDashes = args.length;
    if (token.kind === "positional") args.push(token.value);
    if (token.kind !== "option") continue;
    const flag = known.find((one) => one.name === token.name);
    if (flag === undefined) {
      const guess = nearest(
        token.name,
        known.map((one) => one.name),
      );
      const hint = guess === undefined ? "see --help" : `did you mean --${guess}?`;
      throw new AgentError(
        "bad_request",
        `unknown flag ${[token.rawName, of].filter(Boolean).join(" ")}; ${hint}`,
      );
    }
    if (flag.value !== "" && token.value === undefined) {
      throw new AgentError("bad_request", `--${flag.name} needs a value: --${flag.name}=${flag.value}`);
    }
    const value = token.value ?? "true";
    flags.set(flag.name, value);
    if (flag.repeatable === true) repeated.set(flag.name, [...(repeated.get(flag.name) ?? []), value]);
  }
  return { args, flags, repeated, beforeDashes: beforeDashes ?? args.length };
}
