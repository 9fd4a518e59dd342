import type { z } from "zod";
import { AgentError } from "../errors.ts";
import { nearest } from "../nearest.ts";

/**
 * Checks a query or a body against its schema.
 * @param what `query` or `body`, for the message
 * @throws AgentError `bad_request` that names the first wrong field and what is allowed
 */
export function validate<T>(schema: z.ZodType<T>, value: unknown, what: "query" | "body"): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue === undefined) throw new AgentError("bad_request", `the ${what} is wrong`);
  if (issue.code === "unrecognized_keys") {
    const [field = ""] = issue.keys;
    const known = fieldsOf(schema);
    const guess = nearest(field, known);
    const hint = guess === undefined ? "" : `; did you mean ${guess}?`;
    const list = known.length === 0 ? "there are none" : `there are ${known.join(", ")}`;
    throw new AgentError("bad_request", `unknown ${what} field "${field}"${hint} (${list})`, {
      details: { field },
    });
  }
  const field = issue.path.join(".");
  const where = field === "" ? `the ${what}` : `${what} field "${field}"`;
  throw new AgentError("bad_request", `${where}: ${issue.message}`, {
    details: field === "" ? {} : { field },
  });
}

function fieldsOf(schema: z.ZodType): readonly string[] {
  return "shape" in schema && typeof schema.shape === "object" && schema.shape !== null
    ? Object.keys(schema.shape)
    : [];
}
