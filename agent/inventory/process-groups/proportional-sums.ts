import { kernelThreadFlag } from "../../model.ts";
import type { ProportionalMemory } from "../../named-groups.ts";
import type { BlockingReader } from "../../source/procfs/blocking-reader.ts";
import { parseSmapsRollup, type SmapsRollup } from "../../source/procfs/smaps-rollup.ts";
import type { Members } from "./groups.ts";

/** A process is read at most so often: reading walks its page tables and holds its memory's lock. */
const roundMs = 60_000;

export interface ProportionalSumsParts {
  readonly reader: BlockingReader;
  readonly root: string;
  readonly members: () => Members | undefined;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
}

/** What is known of a process's memory. */
interface Known {
  readonly startTicks: number;
  /** Undefined: reading it took too long, so it is not tried again. */
  readonly memory: SmapsRollup | undefined;
}

/** Keeps the proportional memory of all members, read process by process in the background, round by round. */
export interface ProportionalSums {
  /** Begins a round when it is about time. Call it after each scan. */
  observe(): void;
  sums(): readonly ProportionalMemory[];
  close(): void;
}

export function createProportionalSums(parts: ProportionalSumsParts): ProportionalSums {
  let known: ReadonlyMap<number, Known> = new Map();
  let beganAt = Number.NEGATIVE_INFINITY;
  let isBusy = false;
  let isClosed = false;

  const readOne = async (pid: number, startTicks: number): Promise<Known | undefined> => {
    const before = known.get(pid);
    const isSame = before?.startTicks === startTicks;
    if (isSame && before.memory === undefined) return before;
    const found = await parts.reader.read(`${parts.root}/${pid}/smaps_rollup`);
    if (found === "late") return { startTicks, memory: undefined };
    if (found === "busy") return isSame ? before : undefined;
    const memory = found === "none" ? undefined : parseSmapsRollup(found.text);
    return memory === undefined ? undefined : { startTicks, memory };
  };
  const round = async ({ table, rows }: Members): Promise<void> => {
    const next = new Map(known);
    for (const [row, member] of rows.entries()) {
      if (isClosed) return;
      const isKernel = ((table.flags[row] ?? 0) & kernelThreadFlag) !== 0;
      if (!member || isKernel || table.state[row] === "Z".charCodeAt(0)) continue;
      const pid = table.pid[row] ?? 0;
      const one = await readOne(pid, table.startTicks[row] ?? 0);
      if (one === undefined) next.delete(pid);
      else next.set(pid, one);
      // Seen at once: the first round of a large host takes its time.
      known = next;
    }
    const living = new Set(table.pid);
    for (const pid of next.keys()) if (!living.has(pid)) next.delete(pid);
  };
  return {
    observe: () => {
      const members = parts.members();
      const now = parts.monotonicMs();
      if (members === undefined || isBusy || now - beganAt < roundMs) return;
      beganAt = now;
      isBusy = true;
      void round(members).finally(() => {
        isBusy = false;
      });
    },
    sums: () => {
      const sums = new Map<string, { name: string; residentBytes: number; swappedBytes: number }>();
      const { table, rows } = parts.members() ?? { table: undefined, rows: [] };
      for (const [row, member] of rows.entries()) {
        if (!member || table === undefined) continue;
        const { name } = member.into ?? member;
        const sum = sums.get(name) ?? { name, residentBytes: 0, swappedBytes: 0 };
        sums.set(name, sum);
        const one = known.get(table.pid[row] ?? 0);
        if (one?.memory === undefined || one.startTicks !== table.startTicks[row]) continue;
        sum.residentBytes += one.memory.residentBytes;
        sum.swappedBytes += one.memory.swappedBytes;
      }
      return [...sums.values()];
    },
    close: () => {
      isClosed = true;
      parts.reader.close();
    },
  };
}
