import { parseExposition } from "../metrics/parse-exposition.ts";
import { type Difference, nodeDifferences, nodeTolerances } from "./node-differences.ts";

interface Exposition {
  /** By `name{label="value",…}` with the labels in the order of the alphabet. */
  readonly values: ReadonlyMap<string, number>;
  /** Name of a family → its type and help text. */
  readonly heads: ReadonlyMap<string, string>;
}

function read(text: string): Exposition {
  const values = new Map<string, number>();
  for (const { name, labels, value } of parseExposition(text)) {
    // Those of the program itself and its HTTP server are its own.
    if (!name.startsWith("node_")) continue;
    const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = `${name}{${sorted.map(([label, own]) => `${label}=${JSON.stringify(own)}`).join(",")}}`;
    if (values.has(key)) throw new Error(`${key} stands twice`);
    values.set(key, value);
  }
  const heads = new Map<string, string>();
  for (const [, kind, name = "", rest] of text.matchAll(/^# (HELP|TYPE) (\S+) (.*)$/gm))
    heads.set(name, `${heads.get(name) ?? ""}${kind} ${rest}\n`);
  return { values, heads };
}

/**
 * What differs, by what it is about → how, besides what is meant to differ.
 * @param before, after: pidward's, of moments around the other's, between which its counters have to lie
 */
export function compareExpositions(
  before: string,
  theirs: string,
  after: string,
): ReadonlyMap<string, string> {
  const [first, other, last] = [read(before), read(theirs), read(after)];
  const found = new Map<string, string>();
  for (const [name, head] of other.heads) {
    const own = last.heads.get(name);
    if (own !== undefined && own !== head) found.set(`head of ${name}`, `${own} is not\n${head}`);
  }
  for (const [key, value] of other.values) {
    const around = [first.values.get(key), last.values.get(key)].filter((one) => one !== undefined);
    if (around.length === 0) {
      if (!isMeant("node_exporter", key)) found.set(`missing ${key}`, String(value));
    } else if (!isMeant("both", key) && !isWithin(key, value, around))
      found.set(`value of ${key}`, `${around.join(" … ")} is not ${value}`);
  }
  for (const [key, value] of last.values) {
    if (!other.values.has(key) && first.values.has(key) && !isMeant("pidward", key))
      found.set(`only here ${key}`, String(value));
  }
  return found;
}

function isMeant(who: Difference["who"], key: string): boolean {
  return nodeDifferences.some((one) => (one.who === who || one.who === "either") && one.series.test(key));
}

function isWithin(key: string, value: number, around: readonly number[]): boolean {
  if (around.every((one) => Object.is(one, value))) return true;
  const tolerance = nodeTolerances.find(({ series }) => series.test(key));
  const largest = Math.max(Math.abs(value), ...around.map(Math.abs));
  // Both add up fractions, in another order: 1e-12 is what that can make.
  const room = Math.max((tolerance?.relative ?? 1e-12) * largest, tolerance?.absolute ?? 0);
  return value >= Math.min(...around) - room && value <= Math.max(...around) + room;
}
