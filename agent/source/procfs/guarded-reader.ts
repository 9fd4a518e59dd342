import { Worker } from "node:worker_threads";
import { failureOf, type ReadFailure } from "./files.ts";

/**
 * Reads files of which a read can hang in the kernel, and waits for each only so long: /proc/PID/cmdline and environ
 * are read from the process's memory under its lock (mmap_lock), and a thread that hangs in mmap(2), on a file system
 * of its own container's, can hold that for ever while the process looks asleep.
 */
export interface GuardedReader {
  /**
   * Copies are given, cut at `maxBytes`. `late`: it hangs, and its thread is left with it; `busy`: so many threads hang
   * that it was not tried.
   */
  read(path: string, maxBytes: number): Guarded;
  /**
   * Several, one after the other in one wait, which costs more than a reading does; the limit of time is for all of them.
   * @param paths at least one, none with a line break; @param maxBytes of each, at most 8 KiB
   * @returns those of the first paths, as `read`: `late` is the last one, and there are fewer when there is no more room
   */
  readAll(paths: readonly string[], maxBytes: number): readonly Guarded[];
  /** Whether a thread still hangs in it. */
  isHanging(path: string): boolean;
  close(): void;
}

export type Guarded = Buffer | ReadFailure | "late" | "busy";

const chunkBytes = 64 * 1024;
/** Of all paths that are asked for at once; one of /proc is much shorter. */
const pathBytes = 4096;
const mostAtOnce = 128;
/** A busy machine takes its time to start a thread; that is not the file's. */
const startLimitMs = 10_000;

/**
 * Words of what a thread shares: the number of what is asked for last, and of what is answered last, and more of both. From
 * `lengths` on those of the contents, which lie one behind the other; below zero that of an error's name.
 */
const words = { asked: 0, answered: 1, length: 2, offset: 3, room: 4, done: 5, lengths: 6 } as const;

/** What a thread runs: no more than this, so that it needs no file of its own. It waits without an event loop. */
const program = `
const { openSync, readSync, closeSync } = require("node:fs");
const { control, path, content } = require("node:worker_threads").workerData;
const word = new Int32Array(control), where = Buffer.from(path), out = Buffer.from(content);
const bytes = Buffer.allocUnsafe(out.length);
const at = ${JSON.stringify(words)};
let turn = 0;
for (;;) {
  Atomics.store(word, at.answered, turn);
  Atomics.notify(word, at.answered);
  Atomics.wait(word, at.asked, turn);
  turn = word[at.asked];
  const paths = where.toString("latin1", 0, word[at.length]).split("\\n");
  const room = word[at.room];
  let used = 0;
  for (let index = 0; index < paths.length && used + room <= out.length; index++) {
    let fd, length;
    try {
      fd = openSync(paths[index], "r");
      length = readSync(fd, bytes, 0, room, word[at.offset]);
      bytes.copy(out, used, 0, length);
      used += length;
    } catch (error) {
      const name = out.write(String(error.code), used, "latin1");
      used += name;
      length = -name;
    }
    finally { if (fd !== undefined) closeSync(fd); }
    word[at.lengths + index] = length;
    Atomics.store(word, at.done, index + 1);
  }
}`;

interface Thread {
  readonly worker: Worker;
  readonly word: Int32Array;
  readonly path: Buffer;
  readonly content: Buffer;
}

/** @param mostHung so many threads may hang; then no more files are read until one of them is let go */
export function createGuardedReader(limitMs = 500, mostHung = 4): GuardedReader {
  let idle: Thread | undefined;
  /** With the path in which each hangs. */
  const hung = new Map<Thread, string>();
  const isDone = ({ word }: Thread): boolean =>
    Atomics.load(word, words.answered) === Atomics.load(word, words.asked);
  const end = ({ worker }: Thread): void => {
    // Its end is not waited for: nothing depends on it.
    void worker.terminate();
  };
  const reclaim = (): void => {
    for (const thread of hung.keys()) {
      if (!isDone(thread)) continue;
      hung.delete(thread);
      if (idle === undefined) idle = thread;
      else end(thread);
    }
  };
  /** @returns what has been read when all is, or the time is over: then the next one hangs */
  const ask = (thread: Thread, paths: readonly string[], offset: number, room: number): Guarded[] => {
    const { word, content } = thread;
    word[words.length] = thread.path.write(paths.join("\n"), "latin1");
    word[words.offset] = offset;
    word[words.room] = room;
    word[words.done] = 0;
    const turn = Atomics.add(word, words.asked, 1);
    Atomics.notify(word, words.asked);
    const isLate = Atomics.wait(word, words.answered, turn, limitMs) === "timed-out" && !isDone(thread);
    const found: Guarded[] = [];
    const done = Atomics.load(word, words.done);
    for (let from = 0, index = 0; index < done; index++) {
      const length = word[words.lengths + index] ?? 0;
      const bytes = content.subarray(from, from + Math.abs(length));
      found.push(length < 0 ? failureOf({ code: bytes.toString("latin1") }) : Buffer.from(bytes));
      from += bytes.length;
    }
    if (!isLate) return found;
    idle = undefined;
    hung.set(thread, paths[done] ?? "");
    return [...found, "late"];
  };
  /** Undefined: so many hang that nothing is tried. */
  const thread = (): Thread | undefined => {
    reclaim();
    if (idle === undefined && hung.size >= mostHung) return undefined;
    idle ??= startThread();
    return idle;
  };
  return {
    read: (path, maxBytes) => {
      const reading = thread();
      if (reading === undefined) return "busy";
      const parts: Buffer[] = [];
      for (let length = 0; length < maxBytes; ) {
        const room = Math.min(chunkBytes, maxBytes - length);
        const [part = "unreadable"] = ask(reading, [path], length, room);
        if (typeof part === "string") return part;
        parts.push(part);
        length += part.length;
        // The kernel gives as much as there is room for.
        if (part.length < room) break;
      }
      return Buffer.concat(parts);
    },
    readAll: (paths, maxBytes) => {
      const reading = thread();
      if (reading === undefined) return ["busy"];
      return ask(reading, fitting(paths), 0, maxBytes);
    },
    isHanging: (path) => {
      for (const [thread, held] of hung) if (held === path && !isDone(thread)) return true;
      return false;
    },
    close: () => {
      for (const thread of hung.keys()) end(thread);
      hung.clear();
      if (idle !== undefined) end(idle);
      idle = undefined;
    },
  };
}

/** As many of the first paths as can be asked for at once. */
function fitting(paths: readonly string[]): readonly string[] {
  let bytes = 0;
  const end = paths.findIndex((path, index) => {
    bytes += path.length + 1;
    return index >= mostAtOnce || bytes > pathBytes;
  });
  return end === -1 ? paths : paths.slice(0, end);
}

function startThread(): Thread {
  const control = new SharedArrayBuffer(4 * (words.lengths + mostAtOnce));
  const path = new SharedArrayBuffer(pathBytes);
  const content = new SharedArrayBuffer(chunkBytes);
  const word = new Int32Array(control);
  word[words.answered] = -1;
  const worker = new Worker(program, {
    eval: true,
    workerData: { control, path, content },
    // It prints nothing: the agent's own output is not opened for it.
    stdout: true,
    stderr: true,
    // It holds nothing but a buffer.
    resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 8 },
  });
  worker.unref();
  Atomics.wait(word, words.answered, -1, startLimitMs);
  return { worker, word, path: Buffer.from(path), content: Buffer.from(content) };
}
