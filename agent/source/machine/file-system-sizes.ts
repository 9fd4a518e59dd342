import { statfs } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { systemCode } from "../../errors.ts";

export interface FileSystemSize {
  readonly bytes: number;
  readonly freeBytes: number;
  readonly inodes: number;
  readonly freeInodes: number;
}

/**
 * How large file systems are and what is free, asked off the event loop. One that does not answer (a dead server, a
 * dying disk) is left out, and not asked again before it has answered.
 */
export interface FileSystemSizes {
  /** Those that answer in time, by the folders given. */
  read(folders: readonly string[]): Promise<ReadonlyMap<string, FileSystemSize>>;
}

/** A call that hangs holds one of the threads of Node's pool: this many may, then nothing more is asked. */
const mostHanging = 2;

/** @param limitMs longest wait for all of them */
export function createFileSystemSizes(limitMs = 500, ask: typeof statfs = statfs): FileSystemSizes {
  const waiting = new Map<string, Promise<FileSystemSize | undefined>>();
  const look = async (folder: string): Promise<FileSystemSize | undefined> => {
    try {
      const { bsize, blocks, bfree, files, ffree } = await ask(folder);
      return { bytes: bsize * blocks, freeBytes: bsize * bfree, inodes: files, freeInodes: ffree };
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return undefined;
    } finally {
      waiting.delete(folder);
    }
  };
  return {
    read: async (folders) => {
      const sizes = new Map<string, FileSystemSize>();
      const end = new AbortController();
      const late = setTimeout(limitMs, "late" as const, { signal: end.signal }).catch(() => "late" as const);
      for (const folder of folders) {
        if (waiting.has(folder) || waiting.size >= mostHanging) continue;
        // One after the other: the pool's threads are for others too.
        const own = look(folder);
        waiting.set(folder, own);
        const answer = await Promise.race([own, late]);
        if (answer === "late") {
          // Its fault comes when nobody waits any more.
          own.catch(() => undefined);
          break;
        }
        if (answer !== undefined) sizes.set(folder, answer);
      }
      end.abort();
      return sizes;
    },
  };
}
