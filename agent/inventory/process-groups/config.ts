// process_names:
//   - name: "{{.Comm}}"
//     cmdline:
//     - '.+'
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type YAMLMap,
} from "yaml";
import { AgentError, reasonOf } from "../../errors.ts";
import { compilePattern } from "./patterns.ts";
import { createRule, type GroupRule } from "./rules.ts";
import { parseTemplate } from "./templates.ts";

export interface GroupConfig {
  readonly rules: readonly GroupRule[];
  /** What is in the file and means nothing: `FILE:LINE: …` */
  readonly remarks: readonly string[];
}

const selectors = ["comm", "exe", "cmdline"] as const;

/**
 * Reads process-exporter's own configuration.
 * @param file its name, for messages
 * @throws AgentError `bad_request` that says in which line what is wrong
 */
export function parseGroupConfig(text: string, file: string): GroupConfig {
  const lines = new LineCounter();
  const fail = (message: string, offset: number | undefined): never => {
    const line = offset === undefined ? 1 : Math.max(1, lines.linePos(offset).line);
    throw new AgentError("bad_request", `${file}:${line}: ${message}`);
  };
  const document = parseYaml(text, file, lines);
  const [problem] = document?.errors ?? [];
  if (problem !== undefined) fail(problem.message, problem.pos[0]);
  const context: Reading = { document, fail, remarks: [], file, lines };
  const root = resolve(document?.contents, context);
  if (isNothing(root)) return { rules: [], remarks: [`${file}: is empty: no process is in a group`] };
  if (!isMap(root)) return fail("a map with process_names is expected", offsetOf(root));
  remarkUnknown(root, ["process_names"], context);
  const names = lookUp(root, "process_names", context);
  if (isNothing(names)) return { rules: [], remarks: [...context.remarks, `${file}: has no process_names`] };
  if (!isSeq(names)) return fail("process_names is not a list", offsetOf(names));
  const rules = names.items.map((item) => readRule(resolve(item, context), context, offsetOf(names)));
  return { rules, remarks: context.remarks };
}

interface Reading {
  readonly document: Document | undefined;
  readonly fail: (message: string, offset: number | undefined) => never;
  readonly remarks: string[];
  readonly file: string;
  readonly lines: LineCounter;
}

/** All scalars are text, and of several values of one key the last counts: so process-exporter reads it. */
function parseYaml(text: string, file: string, lineCounter: LineCounter): Document | undefined {
  try {
    const all = parseAllDocuments(text, {
      lineCounter,
      schema: "failsafe",
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: "silent",
    });
    return all[0];
  } catch (error) {
    throw new AgentError("bad_request", `${file}: cannot be read as YAML: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function readRule(item: Node | undefined, context: Reading, listAt: number | undefined): GroupRule {
  const { fail } = context;
  const at = offsetOf(item) ?? listAt;
  if (!isMap(item)) return fail("an entry of process_names is a map with name, comm, exe or cmdline", at);
  remarkUnknown(item, ["name", ...selectors], context);
  const [comm, exe, cmdline] = selectors.map((key) => readTexts(item, key, context));
  if (comm === undefined && exe === undefined && cmdline === undefined)
    return fail("an entry needs one of comm, exe and cmdline", at);
  const nameNode = lookUp(item, "name", context);
  if (nameNode !== undefined && !isScalar(nameNode)) return fail("name is not a text", offsetOf(nameNode));
  const name = isNothing(nameNode) ? "" : textOf(nameNode);
  return createRule({
    name: attempt(() => parseTemplate(name === "" ? "{{.ExeBase}}" : name), offsetOf(nameNode), context),
    comm: comm?.map(({ text }) => text),
    exe: exe?.map(({ text }) => text),
    cmdline: cmdline?.map(({ text, offset }) => attempt(() => compilePattern(text), offset, context)),
  });
}

function attempt<T>(make: () => T, offset: number | undefined, { fail }: Reading): T {
  try {
    return make();
  } catch (error) {
    return fail(reasonOf(error), offset);
  }
}

interface Text {
  readonly text: string;
  readonly offset: number | undefined;
}

function readTexts(item: YAMLMap, key: string, context: Reading): readonly Text[] | undefined {
  const list = lookUp(item, key, context);
  if (isNothing(list)) return undefined;
  if (!isSeq(list)) return context.fail(`${key} is not a list`, offsetOf(list));
  return list.items.map((one) => {
    const node = resolve(one, context);
    if (node !== undefined && !isScalar(node))
      return context.fail(`an entry of ${key} is not a text`, offsetOf(node));
    return { text: isNothing(node) ? "" : textOf(node), offset: offsetOf(node) ?? offsetOf(list) };
  });
}

/** The value of a key; those that `<<` merges in come last. */
function lookUp(map: YAMLMap, key: string, context: Reading, depth = 0): Node | undefined {
  const own = map.items.findLast((pair) => isScalar(pair.key) && pair.key.value === key);
  if (own !== undefined) return resolve(own.value, context);
  const merged = map.items.findLast((pair) => isScalar(pair.key) && pair.key.value === "<<");
  const from = resolve(merged?.value, context);
  // A map can be merged into itself by its alias.
  if (depth > 8) return undefined;
  for (const one of isSeq(from) ? from.items : [from]) {
    const other = resolve(one, context);
    const found = isMap(other) ? lookUp(other, key, context, depth + 1) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function remarkUnknown(map: YAMLMap, known: readonly string[], { remarks, file, lines }: Reading): void {
  for (const { key } of map.items) {
    if (!isScalar(key) || typeof key.value !== "string" || known.includes(key.value)) continue;
    if (key.value === "<<") continue;
    const { line } = lines.linePos(offsetOf(key) ?? 0);
    remarks.push(
      `${file}:${line}: ${JSON.stringify(key.value)} means nothing: known are ${known.join(", ")}`,
    );
  }
}

function resolve(value: unknown, { document }: Reading): Node | undefined {
  if (isAlias(value)) return document === undefined ? undefined : value.resolve(document);
  return isScalar(value) || isMap(value) || isSeq(value) ? value : undefined;
}

function isNothing(node: Node | undefined): boolean {
  if (node === undefined) return true;
  return isScalar(node) && node.type === "PLAIN" && /^(~|null|Null|NULL)?$/.test(String(node.value ?? ""));
}

function textOf(node: Node | undefined): string {
  return isScalar(node) ? String(node.value ?? "") : "";
}

function offsetOf(node: Node | undefined): number | undefined {
  return node?.range?.[0];
}
