import { statfs } from "node:fs/promises";
import { systemCode } from "../../errors.ts";

/** Room of a file system (statfs(2)). */
export interface Space {
  readonly sizeBytes: number;
  readonly freeBytes: number;
  /** Without what is kept for root. */
  readonly availableBytes: number;
  readonly files: number;
  readonly freeFiles: number;
}

/** `failed`: the kernel gave an error; `stuck`: no answer in time, now or at an earlier reading. */
export type SpaceAnswer = Space | "failed" | "stuck";

export interface SpaceReader {
  /**
   * Reads the room of one file system. One that does not answer in time is stuck from then on, at no cost, until its
   * answer comes.
   */
  read(path: string): Promise<SpaceAnswer>;
}

export interface SpaceReaderParts {
  readonly limitMs: number;
  /**
   * So many may be stuck, each holding a thread of the pool that Node uses for files: then the others count as stuck until
   * one of them answers.
   */
  readonly mostStuck: number;
  readonly ask?: (path: string) => Promise<Space>;
}

/** A dead network mount blocks who asks for it: its thread stays with it, and another one goes on. */
export function createSpaceReader({ limitMs, mostStuck, ask = askKernel }: SpaceReaderParts): SpaceReader {
  const stuck = new Set<string>();
  const underWay = new Map<string, Promise<SpaceAnswer>>();
  const begin = (path: string): Promise<SpaceAnswer> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        stuck.add(path);
        underWay.delete(path);
        resolve("stuck");
      }, limitMs);
      const end = (): void => {
        clearTimeout(timer);
        stuck.delete(path);
        underWay.delete(path);
      };
      ask(path).then(
        (space) => {
          end();
          resolve(space);
        },
        (error) => {
          end();
          if (systemCode(error) === undefined) reject(error);
          else resolve("failed");
        },
      );
    });
  return {
    read: (path) => {
      // Who asks for what is being asked for takes no thread of its own.
      let answer = underWay.get(path);
      if (answer !== undefined) return answer;
      if (stuck.has(path) || stuck.size >= mostStuck) return Promise.resolve("stuck");
      answer = begin(path);
      underWay.set(path, answer);
      return answer;
    },
  };
}

/** Blocks times their size can be beyond 2^53, hence `bigint`. */
async function askKernel(path: string): Promise<Space> {
  const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(path, { bigint: true });
  return {
    sizeBytes: Number(bsize * blocks),
    freeBytes: Number(bsize * bfree),
    availableBytes: Number(bsize * bavail),
    files: Number(files),
    freeFiles: Number(ffree),
  };
}
