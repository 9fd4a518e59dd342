import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { AgentError, reasonOf, systemCode } from "../errors.ts";
import type { ContainerPath, DockerCalls, ExecConfig } from "./docker-calls.ts";
import { createFrameParser, type FrameParser } from "./docker-frames.ts";
import type { AttachedExec, AttachRequest, ExecStatus, OutputPiece, TerminalSize } from "./runtime.ts";

/** Makes a call of the engine within a limit, its failures as AgentErrors. */
export type Limited = <T>(
  what: string,
  limitMs: number,
  call: (signal: AbortSignal) => Promise<T>,
) => Promise<T>;

export interface AttachedExecParts {
  readonly calls: DockerCalls;
  readonly container: ContainerPath;
  readonly limited: Limited;
  readonly limitMs: number;
  readonly status: (execId: string) => Promise<ExecStatus | undefined>;
  /** Ends the connections when the agent stops. */
  readonly stop: AbortSignal;
}

/** Pieces that wait to be read before the engine is held back: at most 1 MiB, as the engine writes 32 KiB or less each. */
const waitingPieces = 32;

/** Starts a command by an upgraded connection ("hijacked": Docker Engine API, exec start), which becomes its streams. */
export async function startAttached(request: AttachRequest, parts: AttachedExecParts): Promise<AttachedExec> {
  const { calls, limited, limitMs } = parts;
  const { Id: id } = await limited("exec", limitMs, (signal) =>
    calls.createExec(parts.container, toConfig(request), signal),
  );
  const socket = await limited("exec start", limitMs, (signal) => startHeld(calls, id, request, signal));
  const stop = (): void => void socket.destroy();
  parts.stop.addEventListener("abort", stop, { once: true });
  socket.once("close", () => parts.stop.removeEventListener("abort", stop));
  if (parts.stop.aborted) stop();
  return {
    id,
    input: socket,
    output: readOutput(socket, request.terminal !== undefined),
    resize: async (size) => {
      await limited("exec resize", limitMs, (signal) => calls.resizeExec(id, size, signal));
    },
    status: () => parts.status(id),
    close: stop,
  };
}

function toConfig(request: AttachRequest): ExecConfig {
  return {
    Cmd: [...request.argv],
    Env: [...request.env],
    ...(request.workdir === undefined ? {} : { WorkingDir: request.workdir }),
    ...(request.user === undefined ? {} : { User: request.user }),
    AttachStdin: request.stdin,
    AttachStdout: true,
    AttachStderr: true,
    Tty: request.terminal !== undefined,
    ...(request.terminal === undefined ? {} : { DetachKeys: makeDetachKeys() }),
    ...consoleSize(request.terminal),
  };
}

/**
 * On a terminal the engine looks for keys that detach the client: by default Ctrl-P Ctrl-Q, so that a typed Ctrl-P waits
 * for the next key, and whoever types or pastes both loses the session while its command goes on unseen. That cannot be
 * switched off; a sequence that nobody types takes its place, which begins with the key that is missed least.
 */
function makeDetachKeys(): string {
  return ["ctrl-^", ...randomBytes(8).toString("hex")].join(",");
}

/** Engines from 25 on (API 1.42) give the terminal its size before the command starts; older ones ignore the field. */
function consoleSize(size: TerminalSize | undefined): Pick<ExecConfig, "ConsoleSize"> {
  return size === undefined ? {} : { ConsoleSize: [size.rows, size.columns] };
}

/** The limit holds for the answer only: the connection lives as long as the command. */
async function startHeld(
  calls: DockerCalls,
  id: string,
  { terminal }: AttachRequest,
  limit: AbortSignal,
): Promise<Socket> {
  const late = new AbortController();
  const abort = (): void => late.abort(limit.reason);
  limit.addEventListener("abort", abort, { once: true });
  try {
    const config = { Tty: terminal !== undefined, ...consoleSize(terminal) };
    return await calls.startHeld(id, config, late.signal);
  } finally {
    limit.removeEventListener("abort", abort);
  }
}

/**
 * The output as pieces. They do not wait in the socket: one whose writing fails, as with input that the command does
 * not want, drops what it has not handed over.
 */
function readOutput(socket: Socket, isTerminal: boolean): Readable {
  const parse: FrameParser = isTerminal
    ? (bytes, take) => take({ from: "stdout", bytes })
    : createFrameParser();
  const output = new Readable({
    objectMode: true,
    highWaterMark: waitingPieces,
    read: () => void socket.resume(),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  const fail = (error: unknown): void => {
    const reason = systemCode(error) ?? reasonOf(error);
    output.destroy(
      new AgentError("unavailable", `the connection to a command broke: ${reason}`, { cause: error }),
    );
  };
  let hasEnded = false;
  const end = (): void => {
    if (!hasEnded) output.push(null);
    hasEnded = true;
  };
  socket.on("data", (chunk: Buffer) => {
    let hasRoom = true;
    const take = (piece: OutputPiece): void => {
      hasRoom = output.push(piece);
    };
    try {
      parse(chunk, take);
    } catch (error) {
      fail(error);
    }
    if (!hasRoom) socket.pause();
  });
  socket.once("end", end);
  socket.once("close", end);
  // A command that has ended takes no more input: EPIPE, or ECONNRESET when some of it was under way.
  socket.on("error", (error) => {
    const code = systemCode(error);
    if (code === "EPIPE" || code === "ECONNRESET") end();
    else fail(error);
  });
  return output;
}
