import type { Response } from "express";
import { AgentError } from "../errors.ts";
import type { Logger } from "../log.ts";

/** A reader that has so much waiting does not keep up: it is cut off, never waited for. */
const mostWaitingBytes = 1 << 20;
/** So that what stands between does not take a quiet stream for a dead one. */
const heartbeatMs = 15_000;
/** Streams of one kind at the same time; each costs a buffer and a walk over what is told. */
const mostStreams = 64;

/** One reader of server-sent events (HTML standard, section 9.2). */
export interface EventStream {
  /** @param id what a reader that comes back names as its last one; undefined: there is no coming back */
  send(type: string, data: unknown, id?: string): void;
  /** Keeps the stream open until the reader leaves. @param stop is called then */
  follow(stop: () => void): void;
  end(): void;
}

/** @param what is told, for messages: `events` */
export function createEventStreams(
  what: string,
  log: Pick<Logger, "warn">,
): (response: Response) => EventStream {
  let streams = 0;
  return (response) => {
    if (streams >= mostStreams)
      throw new AgentError("unavailable", `${mostStreams} streams of ${what} are open already`);
    // A reader may have left already.
    if (!response.destroyed) {
      streams++;
      response.once("close", () => {
        streams--;
      });
    }
    response.status(200).set({ "Content-Type": "text/event-stream", "X-Accel-Buffering": "no" });
    // Says at once that the stream is there, also when nothing happens for long.
    response.write(": pidward\n\n");
    let follows = false;
    return {
      send: (type, data, id) => {
        if (response.destroyed) return;
        const before = id === undefined ? "" : `id: ${id}\n`;
        response.write(`${before}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
        if (!follows || response.writableLength <= mostWaitingBytes) return;
        log.warn(`a reader of ${what} was cut off: it does not keep up`, {
          waiting: response.writableLength,
        });
        response.destroy();
      },
      follow: (stop) => {
        follows = true;
        const heartbeat = setInterval(() => response.write(": alive\n\n"), heartbeatMs);
        const end = (): void => {
          clearInterval(heartbeat);
          stop();
        };
        if (response.destroyed) end();
        else response.once("close", end);
      },
      end: () => response.end(),
    };
  };
}
