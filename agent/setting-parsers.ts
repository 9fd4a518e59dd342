import { parseSize } from "./sizes.ts";
import { parseSpan } from "./spans.ts";

// How the values of settings are read. Each throws an Error that quotes the text and says what is expected.

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export const asText = (text: string): string => {
  if (text === "") throw new Error("must not be empty");
  return text;
};
export const asPath = (text: string): string => {
  if (!text.startsWith("/")) throw new Error(`"${text}" is not an absolute path`);
  return text.length > 1 && text.endsWith("/") ? text.slice(0, -1) : text;
};
/** Undefined for an empty text. */
export const asOptionalPath = (text: string): string | undefined => (text === "" ? undefined : asPath(text));
export const asUrlPath = (text: string): string => {
  if (!/^\/[\w./-]+$/.test(text)) throw new Error(`"${text}" is not a path like /metrics`);
  return text;
};
export const asSwitch = (text: string): boolean => {
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0" || text === "") return false;
  throw new Error(`"${text}" is neither true nor false`);
};
export const asCount =
  (least: number) =>
  (text: string): number => {
    const count = Number(text);
    if (!/^\d{1,9}$/.test(text) || count < least)
      throw new Error(`"${text}" is not a whole number from ${least}`);
    return count;
  };
export const asChoice =
  <T extends string>(choices: readonly T[]) =>
  (text: string): T => {
    const found = choices.find((choice) => choice === text);
    if (found === undefined) throw new Error(`"${text}" is none of ${choices.join(", ")}`);
    return found;
  };

/** Tells of a label's name whether it is chosen. */
export function asContainerLabels(text: string): (label: string) => boolean {
  if (text === "all") return () => true;
  if (text === "none" || text === "") return () => false;
  try {
    const form = new RegExp(`^(?:${text})$`);
    return (label) => form.test(label);
  } catch {
    throw new Error(`"${text}" is neither an expression, all nor none`);
  }
}

/**
 * Reads `127.0.0.1:10776`, `[::1]:10776`, `:10776` (all addresses).
 * @throws Error that names the text
 */
export function asListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw new Error(`"${text}" is not HOST:PORT`);
  return { host: match[1] ?? match[2] ?? "", port };
}

export function asAuditSize(text: string): number {
  const size = parseSize(text);
  if (size < 1024) throw new Error(`"${text}" is less than 1KiB`);
  return size;
}

export function asKeptFiles(text: string): number {
  const count = asCount(1)(text);
  if (count > 100) throw new Error(`"${text}" is more than 100`);
  return count;
}

export function asSessionSpan(text: string): number {
  const span = parseSpan(text);
  // Timers of Node go up to 24 days.
  if (span < 1_000 || span > 480 * 3_600_000) throw new Error(`"${text}" is not between 1s and 480h`);
  return span;
}

export function asRefresh(text: string): number {
  const span = parseSpan(text);
  if (span > 3_600_000) throw new Error(`"${text}" is more than 1h`);
  return span;
}

export function asScanInterval(text: string): number {
  const span = parseSpan(text);
  if (span < 100 || span > 3_600_000) throw new Error(`"${text}" is not between 100ms and 1h`);
  return span;
}
