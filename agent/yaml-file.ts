import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import type { ZodType } from "zod";
import { AgentError, reasonOf } from "./errors.ts";

/**
 * Reads a YAML text of a given shape.
 * @param file its name, for messages
 * @throws AgentError `bad_request` with `FILE:LINE:` and what is wrong
 */
export function readYaml<Output>(yaml: string, file: string, schema: ZodType<Output>): Output {
  const lines = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: lines, prettyErrors: false, logLevel: "silent" });
  const [problem] = document.errors;
  const fail = (message: string, offset: number): never => {
    throw new AgentError("bad_request", `${file}:${Math.max(1, lines.linePos(offset).line)}: ${message}`);
  };
  if (problem !== undefined) return fail(problem.message, problem.pos[0]);
  let given: unknown;
  try {
    given = document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch (error) {
    // An alias of something that is not there, or of too much.
    return fail(reasonOf(error), 0);
  }
  const read = schema.safeParse(given);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  if (issue === undefined) return fail("is wrong", 0);
  const path = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0] ?? ""] : issue.path;
  const message = issue.code === "unrecognized_keys" ? "is no key that means something there" : issue.message;
  return fail(`${path.join(".") || "the file"} ${message}`, offsetOf(document, path));
}

/** Where the innermost part of the path that is there begins; of a map's entry its key. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let at: Node | null = document.contents;
  let offset = at?.range?.[0] ?? 0;
  for (const step of path) {
    if (!isMap(at)) {
      const next: unknown = at !== null && "get" in at ? at.get(step, true) : undefined;
      at = isNode(next) ? next : null;
      offset = at?.range?.[0] ?? offset;
      continue;
    }
    const pair = at.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
    if (pair === undefined) break;
    offset = (pair.key as Node).range?.[0] ?? offset;
    at = isNode(pair.value) ? pair.value : null;
  }
  return offset;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "range" in value;
}
