import { readFileSync } from "node:fs";
import type { Syscalls } from "./syscalls.ts";

/** A part of the address space, in bytes. */
export interface Mapping {
  readonly address: bigint;
  readonly length: number;
}

/**
 * Those of whole files' pages, as they are in the file: read-only, and none of them written before, as the loader does
 * with addresses that it has to fill in.
 * @param smaps /proc/PID/smaps, see proc_pid_smaps(5)
 */
export function unwrittenFileMappings(smaps: string): readonly Mapping[] {
  const found: Mapping[] = [];
  let last: Mapping | undefined;
  for (const line of smaps.split("\n")) {
    const [, from, to, access, file] = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(\S?)/.exec(line) ?? [];
    if (from !== undefined && to !== undefined) {
      const address = BigInt(`0x${from}`);
      const isFile = file === "/" && /^r-[x-]p$/.test(access ?? "");
      last = isFile ? { address, length: Number(BigInt(`0x${to}`) - address) } : undefined;
    } else if (last !== undefined && /^Anonymous: +0 kB$/.test(line)) {
      found.push(last);
      last = undefined;
    }
  }
  return found;
}

/**
 * Lets go of the pages of the program's and its libraries' files that only its start needed: half of them, 25 MB of
 * Node's own. They stay in the page cache, as nobody's, and the kernel gives those that are used after all at once.
 * @throws Error when its own /proc/PID/smaps cannot be read
 */
export function releaseProgramPages({ dropFilePages }: Pick<Syscalls, "dropFilePages">): void {
  for (const mapping of unwrittenFileMappings(readFileSync("/proc/self/smaps", "latin1")))
    dropFilePages(mapping.address, mapping.length);
}
