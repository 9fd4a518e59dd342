import { AgentError } from "../errors.ts";
import { type Container, formatRef, type TargetProcess } from "../model.ts";
import type { CommandResult, ExecInContainer } from "./exec-in-container.ts";
import { openProcess, waitForExit } from "./process-handle.ts";
import type { ProgramCommand } from "./program-commands.ts";
import { type SignalParts, sendSignals } from "./signal.ts";

export interface StopByCommandParts extends SignalParts {
  readonly runCommand: ExecInContainer;
}

export interface StopByCommandOrder {
  readonly container: Container;
  readonly command: ProgramCommand;
  /** The program's, whose ends are waited for. */
  readonly processes: readonly TargetProcess[];
  /** For the command and the ends together; then KILL. */
  readonly graceSeconds: number;
}

export interface StoppedByCommand {
  /** Refs of those that were still there after the grace. */
  readonly killed: ReadonlySet<string>;
  /** What there is to say of the command: that it failed, or that it did not do. */
  readonly notes: readonly string[];
}

/**
 * Has a program stopped by its own command, run in its container. What does not end by it is killed, also when the
 * command has failed: it may have done half of its work.
 * @throws AgentError `unavailable` when the engine does not answer; `failed`, with the notes, when a process outlives KILL
 */
export type StopByCommand = (order: StopByCommandOrder) => Promise<StoppedByCommand>;

/** What a stop command has to say is little; one that writes more is ended. */
const outputBytes = 1 << 20;
/** Of a failed command's last words. */
const longestQuoted = 200;

export function createStopByCommand(parts: StopByCommandParts): StopByCommand {
  return async ({ container, command, processes, graceSeconds }) => {
    const deadline = parts.monotonicMs() + graceSeconds * 1000;
    const handles = processes.map(({ ref }) => openProcess(ref, parts));
    try {
      const request = { argv: command.argv, env: [], workdir: undefined, user: undefined, stdin: undefined };
      const limits = { timeoutMs: graceSeconds * 1000, outputBytes };
      const result = await parts.runCommand(container, request, limits);
      const leftMs = Math.max(0, deadline - parts.monotonicMs());
      const ended = await Promise.all(
        handles.map((handle) => handle === undefined || waitForExit(handle, leftMs, parts.monotonicMs)),
      );
      const lasting = processes.filter((_, index) => ended[index] === false);
      const notes = describe(result, command, lasting, graceSeconds);
      await killAll(lasting, notes, parts);
      return { killed: new Set(lasting.map(({ ref }) => formatRef(ref))), notes };
    } finally {
      for (const handle of handles) handle?.close();
    }
  };
}

async function killAll(
  targets: readonly TargetProcess[],
  notes: readonly string[],
  parts: SignalParts,
): Promise<void> {
  try {
    await sendSignals({ targets, signal: { name: "SIGKILL", number: 9 }, graceSeconds: 0 }, parts);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    throw new AgentError(error.code, [...notes, error.message].join("; "), { cause: error });
  }
}

function describe(
  { exitCode, timedOut, truncated, stderr }: CommandResult,
  { label }: ProgramCommand,
  lasting: readonly TargetProcess[],
  graceSeconds: number,
): readonly string[] {
  const said = stderr.toString("utf8").trim().slice(-longestQuoted);
  const quoted = said === "" ? "" : `: ${JSON.stringify(said)}`;
  const failure = timedOut
    ? `did not end within ${graceSeconds} s and was ended`
    : truncated
      ? "wrote too much and was ended"
      : exitCode === 0
        ? undefined
        : `exited with code ${exitCode ?? "unknown"}`;
  const names = lasting.map(({ ref, name }) => `${formatRef(ref)} (${name})`).join(", ");
  return [
    ...(failure === undefined ? [] : [`the command of label ${label} ${failure}${quoted}`]),
    ...(lasting.length === 0 ? [] : [`killed, not ended within ${graceSeconds} s by that command: ${names}`]),
  ];
}
