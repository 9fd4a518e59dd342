import { parseArgsStringToArgv } from "string-argv";
import type { Container } from "../model.ts";

/** A command that a container's label declares for one of its programs; no shell sees it. */
export interface ProgramCommand {
  readonly label: string;
  readonly argv: readonly string[];
}

/**
 * The command of `pidward.program.NAME.start` or `.stop`. Labels come with images: what cannot be run is a reason.
 * @returns undefined when there is no such label
 */
export function findProgramCommand(
  container: Container,
  program: string,
  kind: "start" | "stop",
): { readonly command: ProgramCommand } | { readonly reason: string } | undefined {
  const label = `pidward.program.${program}.${kind}`;
  const text = container.labels[label];
  if (text === undefined) return undefined;
  const argv = readCommand(text);
  if (argv === undefined)
    return { reason: `label ${label} is neither a command line nor a JSON array of strings` };
  return { command: { label, argv } };
}

/** To take a longer text apart would hold up the agent. */
const longestText = 64 * 1024;

/** A JSON array of strings, or a command line with quotes. */
function readCommand(text: string): readonly string[] | undefined {
  if (text.length > longestText) return undefined;
  const argv = text.trimStart().startsWith("[") ? readArray(text) : parseArgsStringToArgv(text);
  const [program = ""] = argv;
  return program !== "" && !argv.some((one) => one.includes("\0")) ? argv : undefined;
}

function readArray(text: string): readonly string[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((one) => typeof one === "string") ? value : [];
  } catch {
    return [];
  }
}

/** A command line can be megabytes long; a plan is for people. */
const longestShown = 500;

/** A command line in a plan. */
export function quoteCommand(argv: readonly string[]): string {
  const text = JSON.stringify(argv);
  return text.length > longestShown ? `${text.slice(0, longestShown)}…` : text;
}
