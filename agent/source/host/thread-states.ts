// /proc/PID/task/TID/stat: 4243 (nginx: worker) S 4200 …
import { readdirSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { systemCode } from "../../errors.ts";
import { createFileReader } from "../procfs/files.ts";

/** Threads read before others get their turn on the event loop. */
const atOnce = 100;

/** The state letter: what follows the name, which can hold anything. Undefined when there is none. */
export function parseThreadState(bytes: Buffer, length: number): string | undefined {
  const at = bytes.lastIndexOf(")", length - 1);
  if (at < 0 || at + 2 >= length) return undefined;
  const letter = String.fromCharCode(bytes[at + 2] ?? 0);
  return /[A-Za-z]/.test(letter) ? letter : undefined;
}

/** Counts the states of all threads of the processes; those that end meanwhile are left out. */
export async function countThreadStates(
  procRoot: string,
  pids: readonly number[],
  count: (state: string) => void,
): Promise<void> {
  const reader = createFileReader();
  let read = 0;
  for (const pid of pids) {
    for (const thread of threadsOf(`${procRoot}/${pid}/task`)) {
      const length = reader.read(`${procRoot}/${pid}/task/${thread}/stat`);
      const state = typeof length === "number" ? parseThreadState(reader.bytes, length) : undefined;
      if (state !== undefined) count(state);
      if (++read % atOnce === 0) await setImmediate();
    }
  }
}

function threadsOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return [];
  }
}
