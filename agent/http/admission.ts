import type { RequestHandler, Response } from "express";
import { AgentError } from "../errors.ts";

/** Answers to reads that are made or on their way, of one listener. */
export interface ReadLimits {
  readonly mostReads: number;
  /** Bytes that wait for slow readers, all together. */
  readonly mostWaitingBytes: number;
  /** A reader to whom nothing could be sent for so long is cut off. */
  readonly stalledMs: number;
}

/** A list of ten thousand processes is about ten million bytes. */
export const readLimits: ReadLimits = { mostReads: 256, mostWaitingBytes: 64 << 20, stalledMs: 30_000 };

const retryAfterSeconds = 1;

/**
 * Lets reads in one in each turn of the event loop, so that what acts, which does not wait here, never stands behind a crowd of them.
 * What is too much is refused: `unavailable` with Retry-After (RFC 9110, 10.2.3).
 * @param onRefused is told of each one
 */
export function createAdmission(limits: ReadLimits, onRefused: () => void): RequestHandler {
  const underWay = new Set<Response>();
  const waiting: (() => void)[] = [];
  const refuse = (reason: string): never => {
    onRefused();
    throw new AgentError("unavailable", `the agent is busy: ${reason}; try again in ${retryAfterSeconds} s`, {
      details: { retryAfterSeconds },
    });
  };
  const refuseBytes = (): void => {
    const bytes = [...underWay].reduce((sum, response) => sum + response.writableLength, 0);
    if (bytes > limits.mostWaitingBytes) refuse(`${bytes} bytes wait for slow readers`);
  };
  const nextTurn = (): void => {
    waiting.shift()?.();
    if (waiting.length > 0) setImmediate(nextTurn);
  };
  return async (_request, response, next) => {
    if (response.destroyed) return;
    if (underWay.size >= limits.mostReads) refuse(`${limits.mostReads} reads are under way`);
    refuseBytes();
    underWay.add(response);
    response.once("close", () => underWay.delete(response));
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (waiting.length === 1) setImmediate(nextTurn);
    });
    if (response.destroyed) return;
    // Those before it have been answered meanwhile, and may not have been read.
    refuseBytes();
    // While it waited there was nothing to send to it.
    cutOffWhenStalled(response, limits.stalledMs);
    next();
  };
}

/** A socket's timer starts again with every byte that goes (net.Socket.setTimeout in Node's documentation). */
export function cutOffWhenStalled(response: Response, afterMs = readLimits.stalledMs): void {
  response.setTimeout(afterMs, () => response.destroy());
}
