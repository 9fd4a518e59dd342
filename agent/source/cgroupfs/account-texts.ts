import { parseFlatKeyed, parseSingle } from "./cgroup-files.ts";
import type { KeptFiles } from "./kept-files.ts";

/** The files of cgroups as text. Undefined where there is no such file, or it may not be read. */
export interface AccountFiles extends Pick<KeptFiles, "text" | "textOnce"> {
  /** By a path below procfs. */
  proc(name: string): string | undefined;
}

/** The figures of a flat keyed file; NaN for what it has not. */
export function keyed(text: string | undefined): (key: string) => number {
  const values = text === undefined ? undefined : parseFlatKeyed(text);
  return (key) => values?.get(key) ?? Number.NaN;
}

/** NaN for `max`, and without the file. */
export function single(text: string | undefined): number {
  return text === undefined ? Number.NaN : (parseSingle(text) ?? Number.NaN);
}

/** 0 for `max`, NaN without the file. */
export function orZero(text: string | undefined): number {
  return text?.trim() === "max" ? 0 : single(text);
}

export function defined(figure: number): number | undefined {
  return Number.isNaN(figure) ? undefined : figure;
}
