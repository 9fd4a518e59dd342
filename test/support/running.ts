import { readdirSync, readFileSync } from "node:fs";

/** Host PIDs of the processes whose command line is this. */
export function pidsOf(command: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => commandOf(pid) === command)
    .map(Number);
}

function commandOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trimEnd();
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}
