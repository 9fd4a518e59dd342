import os from "node:os";
import { AgentError } from "./errors.ts";
import { nearest } from "./nearest.ts";

export interface SignalName {
  /** `SIGTERM` */
  readonly name: string;
  readonly number: number;
}

const byName = new Map<string, number>(Object.entries(os.constants.signals));
/** Real-time signals reach from SIGRTMIN to SIGRTMAX (signal(7)); names other than by number are the C library's. */
const highestSignal = 64;

/**
 * Reads `TERM`, `SIGTERM`, `term` or `15`.
 * @throws AgentError `bad_request` that names the text and the nearest signal
 */
export function parseSignal(text: string): SignalName {
  if (/^\d{1,2}$/.test(text)) {
    const number = Number(text);
    if (number < 1 || number > highestSignal) {
      throw new AgentError("bad_request", `unknown signal ${text}: numbers go from 1 to ${highestSignal}`);
    }
    return { name: nameOfSignal(number), number };
  }
  const upper = text.toUpperCase();
  const name = upper.startsWith("SIG") ? upper : `SIG${upper}`;
  const number = byName.get(name);
  if (number !== undefined) return { name, number };
  const guess = nearest(name, byName.keys());
  throw new AgentError(
    "bad_request",
    `unknown signal "${text}"${guess === undefined ? "" : `; did you mean ${guess}?`}`,
  );
}

/** `SIGTERM` for 15; the number itself for a real-time signal. */
export function nameOfSignal(number: number): string {
  return [...byName].find(([, known]) => known === number)?.[0] ?? String(number);
}
