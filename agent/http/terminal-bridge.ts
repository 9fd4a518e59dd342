import type { WebSocket } from "ws";
import type { AttachNotice } from "../api.ts";
import { AgentError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { toProblem } from "./error-handler.ts";
import { attachOrder } from "./exec-schemas.ts";
import type { TerminalSession } from "./parts.ts";

/** So much may wait for a client that reads slowly; then its command is held back. */
const mostToClientBytes = 1 << 20;
/** So much may wait for a command that does not read; then its client is held back, down to the second figure. */
const mostToCommandBytes = 256 * 1024;
const fewToCommandBytes = 64 * 1024;
/** So often without a sign of life the client is gone: half-open connections tell nothing by themselves. */
const silentRounds = 4;

/** Codes of RFC 6455, section 7.4.1. */
const closeCodes = { done: 1000, leaving: 1001, violation: 1008, fault: 1011 } as const;

export interface Bridge {
  /** Tells the client why, ends the session and the connection. */
  end(error: AgentError): Promise<void>;
}

/**
 * Carries bytes between a WebSocket and a terminal, no faster than either side takes them, until one of them ends: then
 * the other is ended too.
 * @param heartbeatMs time between two pings
 */
export function bridgeTerminal(
  socket: WebSocket,
  session: TerminalSession,
  heartbeatMs: number,
  log: Pick<Logger, "error">,
): Bridge {
  const say = (notice: AttachNotice, code: number): void => {
    // Bytes that are still to be sent go before it.
    socket.send(JSON.stringify(notice), () => {});
    socket.close(code);
  };
  const fail = (error: AgentError, code: number = closeCodes.fault): void => {
    const { type: _, title, status, code: name, detail } = toProblem(error);
    say({ type: "error", title, status, code: name, detail }, code);
  };
  const life = watchLife(socket, heartbeatMs);
  socket.once("close", () => {
    life.stop();
    void session.close();
  });
  // A violation of the protocol; `close` follows.
  socket.on("error", () => {});
  carryInput(socket, session, () =>
    fail(
      new AgentError("bad_request", 'text messages are {"type":"resize","cols":80,"rows":24}'),
      closeCodes.violation,
    ),
  );
  void session.cut.then((error) => fail(error));
  carryOutput(socket, session, life.sign).then(
    (exitCode) => say({ type: "exit", exitCode }, closeCodes.done),
    (error: unknown) => {
      if (error instanceof AgentError) return fail(error);
      log.error("unexpected error", { error });
      return fail(new AgentError("internal", "a fault of pidward itself; its log has the details"));
    },
  );
  return {
    end: async (error) => {
      fail(error, closeCodes.leaving);
      await session.close();
      socket.terminate();
    },
  };
}

async function carryOutput(
  socket: WebSocket,
  session: TerminalSession,
  onProgress: () => void,
): Promise<number | null> {
  for await (const bytes of session.output) {
    const sent = new Promise<void>((resolve) => {
      socket.send(bytes, { binary: true }, () => {
        onProgress();
        resolve();
      });
    });
    if (socket.bufferedAmount > mostToClientBytes) await sent;
  }
  return session.exit;
}

function carryInput(socket: WebSocket, session: TerminalSession, onNonsense: () => void): void {
  let waiting = 0;
  socket.on("message", (data, isBinary) => {
    const bytes = data as Buffer;
    if (!isBinary) {
      const order = attachOrder.safeParse(parseJson(bytes.toString("utf8")));
      if (order.success) session.resize(order.data.cols, order.data.rows);
      else onNonsense();
      return;
    }
    waiting += bytes.length;
    session.write(bytes, () => {
      waiting -= bytes.length;
      if (socket.isPaused && waiting <= fewToCommandBytes) socket.resume();
    });
    if (waiting > mostToCommandBytes) socket.pause();
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: no order of ours, like any other value.
    return undefined;
  }
}

/** Ends a connection whose other end is gone without a word. A client that is held back cannot answer, and is not gone. */
function watchLife(socket: WebSocket, heartbeatMs: number) {
  let silent = 0;
  const sign = (): void => {
    silent = 0;
  };
  socket.on("pong", sign);
  socket.on("message", sign);
  const timer = setInterval(() => {
    silent = socket.isPaused ? 0 : silent + 1;
    if (silent > silentRounds) socket.terminate();
    else socket.ping();
  }, heartbeatMs);
  return { sign, stop: (): void => clearInterval(timer) };
}
