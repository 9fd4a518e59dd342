// Limit                     Soft Limit           Hard Limit           Units
// Max cpu time              unlimited            unlimited            seconds
// Max open files            1024                 524288               files
// Max nice priority         0                    0
import type { ResourceLimit } from "../../api.ts";

/** /proc/PID/limits (proc_pid_limits(5)): fixed columns, each name at most 26 characters wide. */
export function parseLimits(text: string): readonly ResourceLimit[] {
  return text.split("\n").flatMap((line) => {
    const match = /^(Max [a-z ]*[a-z])\s+(\d+|unlimited)\s+(\d+|unlimited)\s*([a-z]*)\s*$/.exec(line);
    if (match === null) return [];
    const [, name = "", soft = "", hard = "", unit = ""] = match;
    return [{ name, soft: limitOf(soft), hard: limitOf(hard), unit: unit === "" ? null : unit }];
  });
}

/** The soft limit of open files: Infinity for unlimited, NaN when the text has none. */
export function openFilesLimit(text: string): number {
  const soft = /^Max open files +(\d+|unlimited)/m.exec(text)?.[1];
  if (soft === undefined) return Number.NaN;
  return soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
}

function limitOf(text: string): number | null {
  return text === "unlimited" ? null : Number(text);
}
