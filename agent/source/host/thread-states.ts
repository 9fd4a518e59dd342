// /proc/PID/task/TID/stat: 4243 (nginx: worker) S 4200 …
import { readdirSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { systemCode } from "../../errors.ts";
import { createFileReader } from "../procfs/files.ts";

/** Threads read before others get their turn on the event loop. */
const atOnce = 100;
/** About 10 µs each: a host of many threads is read little by little, those read longest ago first. */
const mostRead = 200;
/** A process that seems to have slept is read anew after so long. */
const trustMs = 60_000;

/** The state letter: what follows the name, which can hold anything. Undefined when there is none. */
export function parseThreadState(bytes: Buffer, length: number): string | undefined {
  const at = bytes.lastIndexOf(")", length - 1);
  if (at < 0 || at + 2 >= length) return undefined;
  const letter = String.fromCharCode(bytes[at + 2] ?? 0);
  return /[A-Za-z]/.test(letter) ? letter : undefined;
}

/** A process of several threads. */
export interface ThreadedProcess {
  readonly pid: number;
  readonly startTicks: number;
  readonly threads: number;
  /** Changes when one of its threads has run: until then all are in the states that they were in. */
  readonly activity: string;
}

/** The states of threads by their letters, as far as they have been read: of those that slept it is remembered. */
export interface ThreadStateReader {
  count(processes: readonly ThreadedProcess[], add: (state: string, count: number) => void): Promise<void>;
}

interface Known {
  readonly startTicks: number;
  readonly activity: string;
  readonly at: number;
  readonly states: ReadonlyMap<string, number>;
}

export function createThreadStateReader(procRoot: string, monotonicMs: () => number): ThreadStateReader {
  const reader = createFileReader();
  let known = new Map<number, Known>();
  const readStates = (pid: number): ReadonlyMap<string, number> => {
    const states = new Map<string, number>();
    for (const thread of threadsOf(`${procRoot}/${pid}/task`)) {
      const length = reader.read(`${procRoot}/${pid}/task/${thread}/stat`);
      const state = typeof length === "number" ? parseThreadState(reader.bytes, length) : undefined;
      if (state !== undefined) states.set(state, (states.get(state) ?? 0) + 1);
    }
    return states;
  };
  return {
    count: async (processes, add) => {
      const now = monotonicMs();
      const current = new Map<number, Known>();
      const toRead: ThreadedProcess[] = [];
      for (const process of processes) {
        const last = known.get(process.pid);
        const isSame = last?.startTicks === process.startTicks;
        if (isSame) current.set(process.pid, last);
        if (!isSame || last.activity !== process.activity || now - last.at > trustMs) toRead.push(process);
      }
      const readAt = ({ pid }: ThreadedProcess): number => current.get(pid)?.at ?? Number.NEGATIVE_INFINITY;
      toRead.sort((a, b) => readAt(a) - readAt(b));
      let read = 0;
      for (const { pid, startTicks, threads, activity } of toRead) {
        if (read > 0 && read + threads > mostRead) break;
        current.set(pid, { startTicks, activity, at: now, states: readStates(pid) });
        if (Math.floor((read + threads) / atOnce) > Math.floor(read / atOnce)) await setImmediate();
        read += threads;
      }
      known = current;
      for (const { states } of current.values()) for (const [state, count] of states) add(state, count);
    },
  };
}

function threadsOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return [];
  }
}
