import { AgentError } from "../errors.ts";

const mostShown = 20;

/** @param label `supervisord in shop-web-1` */
export function unknownProgram(label: string, program: string, has: readonly string[]): AgentError {
  const more = has.length > mostShown ? `, … (${has.length} in all)` : "";
  const known = has.length === 0 ? "no program at all" : `${has.slice(0, mostShown).join(", ")}${more}`;
  return new AgentError("not_found", `${label} has no program ${JSON.stringify(program)}; it has ${known}`);
}
