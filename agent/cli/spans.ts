import { AgentError } from "../errors.ts";

const units: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };

/**
 * Reads `10s`, `500ms`, `1m30s`; a bare number is seconds.
 * @returns seconds; undefined when the flag was not given
 * @throws AgentError `bad_request` that names the flag
 */
export function secondsOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) {
    throw new AgentError("bad_request", `--${flag}: "${text}" is not a span like 500ms, 10s or 1m30s`);
  }
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * (units[unit ?? ""] ?? 0),
    0,
  );
}
