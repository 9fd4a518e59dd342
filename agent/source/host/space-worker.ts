import { Worker } from "node:worker_threads";

/** Room of a file system (statfs(2)). */
export interface Space {
  readonly sizeBytes: number;
  readonly freeBytes: number;
  /** Without what is kept for root. */
  readonly availableBytes: number;
  readonly files: number;
  readonly freeFiles: number;
}

/** Someone who asks for the room of one file system at a time, and may be blocked by it for ever. */
export interface SpaceWorker {
  /**
   * @param answer undefined when there was an error
   * @param began called when the thread runs that asks: a busy machine takes its time to start one
   */
  ask(path: string, answer: (space: Space | undefined) => void, began: () => void): void;
  close(): void;
}

/**
 * What the thread runs, as text: the tests run from TypeScript and the agent from JavaScript, and a file would be only
 * one of them. Blocks times their size can be beyond 2^53, hence `bigint`.
 */
const program = `
const { statfsSync } = require("node:fs");
const { parentPort } = require("node:worker_threads");
parentPort.on("message", (path) => {
  try {
    const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(path, { bigint: true });
    parentPort.postMessage([bsize * blocks, bsize * bfree, bsize * bavail, files, ffree].map(Number));
  } catch {
    parentPort.postMessage(undefined);
  }
});
`;

/** A thread of its own: the pool that Node uses for files has four, which four dead mounts would take. */
export function startSpaceWorker(): SpaceWorker {
  let worker: Worker | undefined;
  let isOnline = false;
  let pending: ((figures: readonly number[] | undefined) => void) | undefined;
  const answer = (figures: readonly number[] | undefined): void => {
    const waiting = pending;
    pending = undefined;
    waiting?.(figures);
  };
  const start = (): Worker => {
    const started = new Worker(program, {
      eval: true,
      resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16 },
    });
    isOnline = false;
    started.on("online", () => {
      isOnline = true;
    });
    started.on("message", answer);
    started.on("error", () => {
      worker = undefined;
      answer(undefined);
    });
    // Waiting for an answer must not keep an agent alive that is asked to end.
    started.unref();
    return started;
  };
  return {
    ask: (path, take, began) => {
      pending = (figures) => {
        const [sizeBytes = 0, freeBytes = 0, availableBytes = 0, files = 0, freeFiles = 0] = figures ?? [];
        take(figures && { sizeBytes, freeBytes, availableBytes, files, freeFiles });
      };
      worker ??= start();
      if (isOnline) began();
      else worker.once("online", began);
      worker.postMessage(path);
    },
    close: () => void worker?.terminate(),
  };
}
