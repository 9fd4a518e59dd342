import { parseFlatKeyed, parseSingle } from "./cgroup-files.ts";
import type { KeptFiles } from "./kept-files.ts";

/** The files of cgroups. Undefined where there is no such file, or it may not be read. */
export interface AccountFiles extends Pick<KeptFiles, "parsed" | "textOnce"> {
  /** The text of a file by its path below procfs. */
  proc(name: string): string | undefined;
}

/** The figures of a flat keyed file; NaN for what it has not. */
export type Keyed = (key: string) => number;

export function keyed(text: string): Keyed {
  const values = parseFlatKeyed(text);
  return (key) => values.get(key) ?? Number.NaN;
}

/** Of a file that is not there. */
export const noKeys: Keyed = keyed("");

/** NaN for `max`, and without the file. */
export function single(text: string | undefined): number {
  return text === undefined ? Number.NaN : (parseSingle(text) ?? Number.NaN);
}

/** 0 for `max`, NaN without the file. */
export function orZero(text: string | undefined): number {
  return text?.trim() === "max" ? 0 : single(text);
}

/** NaN is none, too. */
export function defined(figure: number | undefined): number | undefined {
  return Number.isNaN(figure) ? undefined : figure;
}
