import { AgentError, reasonOf } from "../errors.ts";
import { parseSpan } from "../spans.ts";

/**
 * The seconds of a flag that takes a span; undefined when the flag was not given.
 * @throws AgentError `bad_request` that names the flag
 */
export function secondsOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  try {
    return parseSpan(text) / 1000;
  } catch (error) {
    throw new AgentError("bad_request", `--${flag}: ${reasonOf(error)}`);
  }
}
