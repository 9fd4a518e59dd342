import { isUtf8 } from "node:buffer";
import type { AttachQuery, ByteEncoding, ExecAnswer, ExecRequest } from "../api.ts";
import type { TerminalRequest } from "./attach.ts";
import type { CommandLimits, CommandRequest, CommandResult } from "./exec-in-container.ts";

const defaultTimeoutSeconds = 60;
const defaultOutputBytes = 1 << 20;
/** What terminals have had since they were made of glass. */
const defaultSize = { columns: 80, rows: 24 };

/** Turns what the API is asked for into a command. */
export function toCommand(request: ExecRequest): CommandRequest {
  const { argv, env = {}, workdir, user, stdin, stdinEncoding = "utf8" } = request;
  return {
    argv,
    env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    workdir,
    user,
    stdin: stdin === undefined ? undefined : Buffer.from(stdin, stdinEncoding),
  };
}

export function toLimits(request: ExecRequest, gone: AbortSignal): CommandLimits {
  return {
    timeoutMs: (request.timeoutSeconds ?? defaultTimeoutSeconds) * 1000,
    outputBytes: request.maxOutputBytes ?? defaultOutputBytes,
    gone,
  };
}

/** Byte-exact: base64 for both outputs as soon as one is not UTF-8. */
export function toAnswer({ exitCode, stdout, stderr, truncated, timedOut }: CommandResult): ExecAnswer {
  const encoding: ByteEncoding = isUtf8(stdout) && isUtf8(stderr) ? "utf8" : "base64";
  return {
    exitCode,
    stdout: stdout.toString(encoding),
    stderr: stderr.toString(encoding),
    encoding,
    truncated,
    timedOut,
  };
}

export function toTerminal({ argv, env = [], workdir, user, cols, rows }: AttachQuery): TerminalRequest {
  return {
    argv,
    // Without it programs that draw do not know what they may draw with; the request's own goes before it.
    env: env.some((one) => one.startsWith("TERM=")) ? env : ["TERM=xterm", ...env],
    workdir,
    user,
    size: { columns: cols ?? defaultSize.columns, rows: rows ?? defaultSize.rows },
  };
}
