import type {
  AttachedExec,
  ContainerExecs,
  ExecRequest,
  ExecStatus,
  OutputPiece,
} from "../containers/runtime.ts";
import { AgentError, reasonOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { type Container, containerLabel, type ProcessRef } from "../model.ts";
import { type ExecEndParts, endExec, refOfExec, statusAtEnd } from "./exec-end.ts";
import { within } from "./within.ts";

export interface CommandRequest extends ExecRequest {
  /** What the command reads; undefined: /dev/null. */
  readonly stdin: Buffer | undefined;
}

export interface CommandLimits {
  readonly timeoutMs: number;
  /** Of each of the two outputs; what writes more is ended, and the beginning is kept. */
  readonly outputBytes: number;
  /** Aborts when nobody waits for the answer any more. */
  readonly gone?: AbortSignal | undefined;
}

export interface CommandResult {
  /** Null when the engine has forgotten the command: its container was stopped. */
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  /** With exit code 126 or 127 also why it could not be started, in the engine's words. */
  readonly stderr: Buffer;
  readonly truncated: boolean;
  readonly timedOut: boolean;
}

/**
 * Runs a command in a container to its end. A command that fails, or cannot be started, is a result.
 * @throws AgentError `unavailable` (no engine, or it does not answer), `not_found`, `failed` (refused by the engine; or
 *   nobody waits any more): whatever was started has then been ended
 */
export type ExecInContainer = (
  container: Container,
  request: CommandRequest,
  limits: CommandLimits,
) => Promise<CommandResult>;

export interface ExecInContainerParts extends ExecEndParts {
  readonly execsOf: (container: Container) => ContainerExecs | undefined;
  readonly log: Pick<Logger, "warn">;
}

type Cut = "time" | "output" | "client";

/** From TERM to KILL. */
const graceSeconds = 1;
/** After the end of a command that was cut: how long its exit code is waited for. */
const lastWordsMs = 3_000;

export function createExecInContainer(parts: ExecInContainerParts): ExecInContainer {
  return async (container, request, limits) => {
    const name = containerLabel(container);
    const execs = parts.execsOf(container);
    if (execs === undefined) throw new AgentError("unavailable", `no runtime can run commands in ${name}`);
    const { stdin, ...rest } = request;
    const exec = await execs.startAttached(container.id, {
      ...rest,
      stdin: stdin !== undefined,
      terminal: undefined,
    });
    const giveUp = new AbortController();
    const outputs = {
      stdout: createCollector(limits.outputBytes),
      stderr: createCollector(limits.outputBytes),
    };
    const watch = watchLimits(limits);
    const ref = quietly(refOfExec(exec, parts));
    const ended = readAll(exec, outputs, () => watch.cut("output")).then(() =>
      statusAtEnd(exec, giveUp.signal),
    );
    // It is awaited below, or not at all when the command was cut.
    ended.catch(() => {});
    const end = async (): Promise<void> => {
      for (const output of Object.values(outputs)) output.close();
      await endQuietly(await ref, container, parts);
    };
    let cut: Cut | undefined;
    let status: ExecStatus | undefined;
    try {
      if (stdin !== undefined) exec.input.end(stdin);
      cut = await Promise.race([ended.then(() => undefined), watch.happened]);
      if (cut === undefined) status = await ended;
      else {
        await end();
        status = await within(quietly(ended), lastWordsMs);
      }
    } catch (error) {
      await end();
      throw error;
    } finally {
      watch.stop();
      giveUp.abort();
      exec.close();
    }
    if (cut === "client")
      throw new AgentError("failed", `nobody waited for the command in ${name} any more: it was ended`);
    return toResult(status, outputs, cut === "time");
  };
}

/** Keeps the beginning of an output. */
interface Collector {
  /** @returns whether there is room for all of it */
  add(bytes: Buffer): boolean;
  /** What comes from now on is dropped. */
  close(): void;
  bytes(): Buffer;
  wasCut(): boolean;
}

function createCollector(limit: number): Collector {
  const chunks: Buffer[] = [];
  let room = limit;
  let isClosed = false;
  let wasCut = false;
  return {
    add: (bytes) => {
      if (isClosed) return true;
      if (bytes.length > room) wasCut = true;
      // A copy: the piece is a view of a larger chunk, which would be kept for it.
      if (room > 0) chunks.push(Buffer.from(bytes.subarray(0, room)));
      room = Math.max(0, room - bytes.length);
      return !wasCut;
    },
    close: () => {
      isClosed = true;
    },
    bytes: () => Buffer.concat(chunks),
    wasCut: () => wasCut,
  };
}

type Outputs = Readonly<Record<OutputPiece["from"], Collector>>;

async function readAll(exec: AttachedExec, outputs: Outputs, onOver: () => void): Promise<void> {
  for await (const { from, bytes } of exec.output as AsyncIterable<OutputPiece>) {
    if (!outputs[from].add(bytes)) onOver();
  }
}

/** The first reason why a command has to end before its time. */
function watchLimits({ timeoutMs, gone }: CommandLimits) {
  let cut: (why: Cut) => void = () => {};
  const happened = new Promise<Cut>((resolve) => {
    cut = resolve;
  });
  const timer = setTimeout(() => cut("time"), timeoutMs);
  const leave = (): void => cut("client");
  gone?.addEventListener("abort", leave, { once: true });
  if (gone?.aborted === true) leave();
  return {
    happened,
    cut,
    stop: (): void => {
      clearTimeout(timer);
      gone?.removeEventListener("abort", leave);
    },
  };
}

async function quietly<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch {
    // What fails here fails at the command's own end too, and is told there.
    return undefined;
  }
}

async function endQuietly(
  ref: ProcessRef | undefined,
  container: Container,
  parts: ExecInContainerParts,
): Promise<void> {
  if (ref === undefined) return;
  try {
    await endExec(ref, container, { name: "SIGTERM", number: 15 }, graceSeconds, parts);
  } catch (error) {
    parts.log.warn("a command did not end", {
      container: containerLabel(container),
      pid: ref.pid,
      reason: reasonOf(error),
    });
  }
}

function toResult(
  status: ExecStatus | undefined,
  { stdout, stderr }: Outputs,
  timedOut: boolean,
): CommandResult {
  const exitCode = status?.exitCode ?? null;
  const couldNotStart = status?.pid === null && (exitCode === 126 || exitCode === 127);
  const said = stdout.bytes();
  return {
    exitCode,
    // The engine's own message comes on stdout, where a caller looks for what the command says.
    stdout: couldNotStart ? Buffer.alloc(0) : said,
    stderr: couldNotStart ? Buffer.from(`${said.toString("utf8").trim()}\n`) : stderr.bytes(),
    truncated: stdout.wasCut() || stderr.wasCut(),
    timedOut,
  };
}
