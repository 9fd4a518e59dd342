import type { Guarded, GuardedReader } from "./guarded-reader.ts";

/** How much of a command line is kept: a container's processes could fill the agent's memory with long ones. */
const maxBytes = 8 * 1024;
/** So many are read at once: the limit of time is for all of them. */
const mostAtOnce = 32;

/** Reads command lines of processes, by a thread that may hang in it (see guarded-reader.ts). */
export interface CommandLines {
  read(pid: number): Guarded;
  /** Whether reading it hung and still does. */
  isHanging(pid: number): boolean;
  /** Forgets what was read ahead. */
  endScan(): void;
}

/**
 * @param upcoming the next PIDs, at most so many, whose command lines will be asked for in this scan: they are read together with
 *   the one that is asked for, since each wait for the thread costs as much as ten readings
 */
export function createCommandLines(
  root: string,
  guarded: Pick<GuardedReader, "readAll" | "isHanging">,
  upcoming: (most: number) => readonly number[] = () => [],
): CommandLines {
  const ahead = new Map<number, Guarded>();
  const pathOf = (pid: number): string => `${root}/${pid}/cmdline`;
  return {
    read: (pid) => {
      const known = ahead.get(pid);
      if (known !== undefined) {
        ahead.delete(pid);
        return known;
      }
      const pids = [pid, ...upcoming(mostAtOnce - 1)];
      const found = guarded.readAll(pids.map(pathOf), maxBytes);
      for (let index = 1; index < found.length; index++) ahead.set(pids[index] ?? 0, found[index] ?? "busy");
      return found[0] ?? "unreadable";
    },
    isHanging: (pid) => guarded.isHanging(pathOf(pid)),
    endScan: () => ahead.clear(),
  };
}
