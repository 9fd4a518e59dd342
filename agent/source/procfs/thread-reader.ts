import { Worker } from "node:worker_threads";
import { failureOf } from "./files.ts";
import {
  chunkBytes,
  type Guarded,
  type GuardedReader,
  mostHung,
  readChunks,
  readLimitMs,
} from "./guarded-reader.ts";

/** A path of /proc is much shorter. */
const pathBytes = 4096;
/** One that has nothing to do is ended after so long: each takes 9 MiB. */
const idleLimitMs = 10_000;
/** A busy machine takes its time to start a thread; that is not the file's. */
const startLimitMs = 10_000;

/** Words of what a thread shares: the number of what is asked for last, and of what is answered last, and more of both. */
const words = { asked: 0, answered: 1, length: 2, offset: 3, room: 4, isError: 5 } as const;

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
  let fd, error;
  try {
    fd = openSync(where.toString("latin1", 0, word[at.length]), "r");
    const length = readSync(fd, bytes, 0, word[at.room], word[at.offset]);
    bytes.copy(out, 0, 0, length);
    word[at.length] = length;
  } catch (caught) { error = caught; }
  finally { if (fd !== undefined) closeSync(fd); }
  word[at.isError] = error === undefined ? 0 : 1;
  if (error !== undefined) word[at.length] = out.write(String(error.code), "latin1");
}`;

interface Thread {
  readonly worker: Worker;
  readonly word: Int32Array;
  readonly path: Buffer;
  readonly content: Buffer;
}

/** Opens and reads by threads of Node's, wherever there is a file: each is started when it is needed. */
export function createThreadReader(
  limits = { readMs: readLimitMs, mostHung, idleMs: idleLimitMs },
): GuardedReader {
  let idle: Thread | undefined;
  let idleTimer: NodeJS.Timeout | undefined;
  /** With the path in which each hangs. */
  const hung = new Map<Thread, string>();
  const isDone = ({ word }: Thread): boolean =>
    Atomics.load(word, words.answered) === Atomics.load(word, words.asked);
  const end = ({ worker }: Thread): void => {
    // Its end is not waited for: nothing depends on it.
    void worker.terminate();
  };
  const endIdle = (): void => {
    clearTimeout(idleTimer);
    if (idle !== undefined) end(idle);
    idle = undefined;
  };
  const reclaim = (): void => {
    for (const thread of hung.keys()) {
      if (!isDone(thread)) continue;
      hung.delete(thread);
      if (idle === undefined) idle = thread;
      else end(thread);
    }
  };
  const isHanging = (path: string): boolean => {
    reclaim();
    for (const held of hung.values()) if (held === path) return true;
    return false;
  };
  const ask = (thread: Thread, path: string, offset: number, room: number): Guarded => {
    const { word } = thread;
    word[words.length] = thread.path.write(path, "latin1");
    word[words.offset] = offset;
    word[words.room] = room;
    const turn = Atomics.add(word, words.asked, 1);
    Atomics.notify(word, words.asked);
    if (Atomics.wait(word, words.answered, turn, limits.readMs) === "timed-out" && !isDone(thread)) {
      idle = undefined;
      hung.set(thread, path);
      return "late";
    }
    const content = thread.content.subarray(0, word[words.length]);
    return word[words.isError] === 0 ? Buffer.from(content) : failureOf({ code: content.toString("latin1") });
  };
  return {
    read: (path, maxBytes) => {
      if (isHanging(path)) return "late";
      if (idle === undefined && hung.size >= limits.mostHung) return "busy";
      clearTimeout(idleTimer);
      const thread = idle ?? startThread();
      idle = thread;
      idleTimer = setTimeout(endIdle, limits.idleMs).unref();
      return readChunks(maxBytes, (offset, room) => ask(thread, path, offset, room));
    },
    isHanging,
    close: () => {
      for (const thread of hung.keys()) end(thread);
      hung.clear();
      endIdle();
    },
  };
}

function startThread(): Thread {
  const control = new SharedArrayBuffer(4 * Object.keys(words).length);
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
