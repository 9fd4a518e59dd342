import { Worker } from "node:worker_threads";
import { failureOf } from "./files.ts";
import {
  chunkBytes,
  createGuardedReader,
  type GuardedReader,
  type Hand,
  mostHung,
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

/** Opens and reads by threads of Node's, wherever there is a file: each is started when it is needed. */
export function createThreadReader(
  limits = { readMs: readLimitMs, mostHung, idleMs: idleLimitMs },
): GuardedReader {
  return createGuardedReader(() => startThread(limits.readMs), limits);
}

function startThread(limitMs: number): Hand {
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
  const where = Buffer.from(path);
  const found = Buffer.from(content);
  const isDone = (): boolean => Atomics.load(word, words.answered) === Atomics.load(word, words.asked);
  return {
    read: (file, offset, room) => {
      word[words.length] = where.write(file, "latin1");
      word[words.offset] = offset;
      word[words.room] = room;
      const turn = Atomics.add(word, words.asked, 1);
      Atomics.notify(word, words.asked);
      if (Atomics.wait(word, words.answered, turn, limitMs) === "timed-out" && !isDone()) return "late";
      const bytes = found.subarray(0, word[words.length]);
      return word[words.isError] === 0 ? Buffer.from(bytes) : failureOf({ code: bytes.toString("latin1") });
    },
    isDone,
    // Its end is not waited for: nothing depends on it.
    end: () => void worker.terminate(),
  };
}
