import { once } from "node:events";
import { Worker } from "node:worker_threads";

/**
 * A file that the kernel does not give: `late` within the time, `busy` since those before it still hang, `none` for one
 * that is gone or refused.
 */
export type Unread = "late" | "busy" | "none";

/** Reads files of which a read can hang in the kernel, each in a thread of its own, one at a time. */
export interface BlockingReader {
  read(path: string): Promise<{ readonly text: string } | Unread>;
  close(): void;
}

/** What a thread runs: no more than this, so that it needs no file of its own. */
const program = `
const { readFileSync } = require("node:fs");
const { parentPort } = require("node:worker_threads");
parentPort.on("message", (path) => {
  let text = null;
  try { text = readFileSync(path, "latin1"); } catch {}
  parentPort.postMessage(text);
});`;

/**
 * @param limitMs how long one read may take; its thread is left alone then and another one takes over
 * @param mostHung how many threads may hang before no more are started
 */
export function createBlockingReader(limitMs: number, mostHung = 2): BlockingReader {
  let idle: Worker | undefined;
  const hung = new Set<Worker>();

  const start = async (): Promise<Worker> => {
    const worker = new Worker(program, { eval: true });
    worker.unref();
    // The time that a busy machine takes to start it is not the file's.
    await once(worker, "online");
    return worker;
  };
  const end = (worker: Worker): void => {
    hung.delete(worker);
    // Its end is not waited for: nothing depends on it.
    void worker.terminate();
  };
  const readBy = (worker: Worker, path: string): Promise<{ readonly text: string } | Unread> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => {
        hung.add(worker);
        resolve("late");
      }, limitMs);
      const settle = (): void => {
        clearTimeout(timer);
        worker.off("message", onMessage);
        worker.off("error", onError);
      };
      const onMessage = (text: string | null): void => {
        settle();
        if (hung.has(worker) || idle !== undefined) end(worker);
        else idle = worker;
        resolve(text === null ? "none" : { text });
      };
      const onError = (): void => {
        settle();
        hung.delete(worker);
        resolve("none");
      };
      worker.on("message", onMessage);
      worker.on("error", onError);
      worker.postMessage(path);
    });
  return {
    read: async (path) => {
      if (idle === undefined && hung.size >= mostHung) return "busy";
      const worker = idle ?? (await start());
      idle = undefined;
      return readBy(worker, path);
    },
    close: () => {
      if (idle !== undefined) end(idle);
      for (const worker of hung) end(worker);
      idle = undefined;
    },
  };
}
