import type { Space, SpaceWorker } from "./space-worker.ts";

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
  readonly start: () => SpaceWorker;
  readonly limitMs: number;
  /** So many may be stuck, each holding a worker; then the others count as stuck until one of them answers. */
  readonly mostStuck: number;
}

/** A thread that has not begun by then is taken for stuck, too. */
const startLimitMs = 10_000;

/** A dead network mount blocks who asks for it: its worker stays with it, and another one goes on. */
export function createSpaceReader({ start, limitMs, mostStuck }: SpaceReaderParts): SpaceReader {
  const free: SpaceWorker[] = [];
  const stuck = new Set<string>();
  return {
    read: (path) => {
      if (stuck.has(path)) return Promise.resolve("stuck");
      if (free.length === 0 && stuck.size >= mostStuck) return Promise.resolve("stuck");
      const worker = free.pop() ?? start();
      return new Promise((resolve) => {
        const giveUp = (): void => {
          stuck.add(path);
          resolve("stuck");
        };
        let timer = setTimeout(giveUp, Math.max(startLimitMs, limitMs));
        const answer = (space: Space | undefined): void => {
          clearTimeout(timer);
          stuck.delete(path);
          if (free.length === 0) free.push(worker);
          else worker.close();
          resolve(space ?? "failed");
        };
        worker.ask(path, answer, () => {
          clearTimeout(timer);
          if (!stuck.has(path)) timer = setTimeout(giveUp, limitMs);
        });
      });
    },
  };
}
