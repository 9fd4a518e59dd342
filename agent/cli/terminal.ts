import os from "node:os";
import type { WebSocket } from "ws";
import type { AttachNotice, AttachQuery } from "../api.ts";
import { AgentError, type ErrorCode, errorCatalogue } from "../errors.ts";
import type { ApiClient } from "./api-client.ts";
import type { Stdio } from "./command.ts";

/** So much may wait to be sent before the keyboard, or what is pasted, is held back. */
const mostWaitingBytes = 256 * 1024;
/** Exit code of `failed`: nobody knows how the command ended. */
const unknownCode = 6;
/** What full-screen programs switch on and, cut off, do not switch off again: other screen, hidden cursor, colours,
 * mouse, pasting in brackets. */
const sane = "\u001b[?1049l\u001b[?25h\u001b[0m\u001b[?1000l\u001b[?1002l\u001b[?1003l\u001b[?2004l";
const deadly = ["SIGTERM", "SIGHUP", "SIGINT"] as const;

/**
 * Runs a command with a terminal of its own in a container, on the terminal here. Whatever happens, that is put back
 * into the mode in which it was.
 * @returns the command's exit code
 * @throws AgentError `bad_request` without a terminal here; the agent's when the session cannot be had, or was ended
 */
export async function runTerminal(
  query: AttachQuery,
  isInteractive: boolean,
  api: Pick<ApiClient, "connect">,
  stdio: Stdio,
): Promise<number> {
  const { stdin, stdout } = stdio;
  if (stdin.isTTY !== true) {
    throw new AgentError(
      "bad_request",
      "--tty needs a terminal, and the standard input is none; leave -t out",
    );
  }
  const { cols, rows, ...rest } = query;
  const socket = await api.connect("/api/v1/attach", {
    ...rest,
    cols: cols === undefined ? undefined : String(cols),
    rows: rows === undefined ? undefined : String(rows),
  });
  const restore = isInteractive ? takeOver(stdin) : () => {};
  // An exit from anywhere, and signals, find the terminal as it was.
  process.once("exit", restore);
  let signal: (typeof deadly)[number] | undefined;
  const leave = (name: NodeJS.Signals): void => {
    signal = deadly.find((one) => one === name);
    socket.terminate();
  };
  for (const name of deadly) process.on(name, leave);
  const resize = (): void => {
    socket.send(JSON.stringify({ type: "resize", cols: stdout.columns, rows: stdout.rows }));
  };
  if (stdout.isTTY) stdout.on("resize", resize);
  if (isInteractive) sendInput(stdin, socket);
  try {
    const notice = await showOutput(socket, stdout);
    if (notice?.type === "exit") return notice.exitCode ?? unknownCode;
    if (stdout.isTTY) stdout.write(sane);
    if (signal !== undefined) return 128 + os.constants.signals[signal];
    if (notice === undefined) throw new AgentError("unavailable", "the connection to the agent broke off");
    throw new AgentError(isCode(notice.code) ? notice.code : "failed", notice.detail);
  } finally {
    stdout.off("resize", resize);
    for (const name of deadly) process.off(name, leave);
    process.off("exit", restore);
    restore();
    stdin.pause();
  }
}

/** Keys go on as they are: what they mean is for the program in the container. @returns what puts the mode back */
function takeOver(stdin: NodeJS.ReadStream): () => void {
  const wasRaw = stdin.isRaw;
  stdin.setRawMode(true);
  return () => void stdin.setRawMode(wasRaw);
}

function sendInput(stdin: NodeJS.ReadStream, socket: WebSocket): void {
  stdin.on("data", (bytes: Buffer) => {
    socket.send(bytes, { binary: true }, () => {
      if (socket.bufferedAmount <= mostWaitingBytes) stdin.resume();
    });
    if (socket.bufferedAmount > mostWaitingBytes) stdin.pause();
  });
}

/** @returns the last word of the agent; undefined when there was none */
function showOutput(socket: WebSocket, stdout: NodeJS.WriteStream): Promise<AttachNotice | undefined> {
  return new Promise((resolve) => {
    let notice: AttachNotice | undefined;
    socket.on("message", (data, isBinary) => {
      if (!isBinary) notice = JSON.parse(String(data));
      else if (!stdout.write(data as Buffer)) {
        socket.pause();
        stdout.once("drain", () => socket.resume());
      }
    });
    // `close` follows.
    socket.on("error", () => {});
    socket.once("close", () => resolve(notice));
    socket.resume();
  });
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCatalogue, code);
}
