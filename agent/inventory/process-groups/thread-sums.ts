import { setImmediate as yieldToLoop } from "node:timers/promises";
import { formatRef, type ProcessTable } from "../../model.ts";
import { groupStateOf, groupStates, type NamedThread, type ThreadGroup } from "../../named-groups.ts";
import type { Task, TaskReader } from "../../source/procfs/task-files.ts";
import { toUsage } from "../counter-sums.ts";
import type { Members } from "./groups.ts";

/** Threads or processes between two yields to the event loop, at about 40 µs each. */
const readAtOnce = 64;
/** Most threads of one reading: a process can have a hundred thousand. What is beyond is left out. */
const mostThreads = 30_000;

export interface ThreadSumsParts {
  readonly tasks: TaskReader;
  readonly ticksPerSecond: number;
  readonly members: () => Members | undefined;
}

/** In the order of the counters of `NamedThread`. */
type Figures = readonly number[];

interface Known {
  readonly figures: Figures;
  reading: number;
}

interface Summed {
  count: number;
  readonly counters: number[];
}

interface Gathered {
  readonly threads: Map<string, Summed>;
  readonly states: number[];
  readonly waits: Map<string, number>;
}

/**
 * Sums the threads of the members of groups by their names, of processes that have several. As with process-exporter,
 * counters are what was used between readings, by threads that both saw, and a name that no thread bears any more is
 * forgotten.
 */
export function createThreadSums(parts: ThreadSumsParts): () => Promise<readonly ThreadGroup[]> {
  const known = new Map<string, Known>();
  let history: ReadonlyMap<string, Gathered> = new Map();
  let reading = 0;
  let last: { readonly table: ProcessTable; readonly groups: Promise<readonly ThreadGroup[]> } | undefined;
  let isBusy = false;

  /** What the thread used since the reading before. */
  const advance = (ref: string, task: Task): Figures => {
    const before = known.get(ref)?.figures;
    const figures = figuresOf(task, parts.ticksPerSecond);
    known.set(ref, { figures, reading });
    // A figure that is not readable now or was not before adds nothing.
    return figures.map((figure, index) => Math.max(0, figure - (before?.[index] ?? Number.NaN)) || 0);
  };
  const gather = async ({ table, rows }: Members): Promise<readonly ThreadGroup[]> => {
    reading++;
    const groups = new Map<string, Gathered>();
    let steps = 0;
    let left = mostThreads;
    for (const [row, member] of rows.entries()) {
      if (!member) continue;
      const { name } = member.into ?? member;
      const pid = table.pid[row] ?? 0;
      const gathered = groups.get(name) ?? newGathered();
      groups.set(name, gathered);
      const ids = (table.threads[row] ?? 0) > 1 ? parts.tasks.list(pid).slice(0, left) : [];
      addWait(gathered, parts.tasks.waitOf(pid));
      // One that is alone now is its process.
      for (const id of ids.length > 1 ? ids : []) {
        left--;
        if (++steps % readAtOnce === 0) await yieldToLoop();
        const task = parts.tasks.read(pid, id);
        if (task === undefined) continue;
        const ref = formatRef({ pid: id, startTicks: task.startTicks });
        addTask(gathered, task, advance(ref, task), history.get(name)?.threads.get(task.name));
      }
      if (++steps % readAtOnce === 0) await yieldToLoop();
    }
    for (const [ref, one] of known) if (one.reading !== reading) known.delete(ref);
    history = groups;
    return [...groups].map(([name, one]) => toThreadGroup(name, one));
  };
  return () => {
    const members = parts.members();
    // Who asks while a reading is under way shares it: two would take each other's differences.
    if (members === undefined) return Promise.resolve([]);
    if (last !== undefined && (isBusy || last.table === members.table)) return last.groups;
    isBusy = true;
    const groups = gather(members).finally(() => {
      isBusy = false;
    });
    last = { table: members.table, groups };
    return groups;
  };
}

function figuresOf(task: Task, ticksPerSecond: number): Figures {
  return [
    task.userTicks / ticksPerSecond,
    task.systemTicks / ticksPerSecond,
    task.readBytes,
    task.writtenBytes,
    task.voluntarySwitches,
    task.involuntarySwitches,
    task.minorFaults,
    task.majorFaults,
  ];
}

function newGathered(): Gathered {
  return { threads: new Map(), states: groupStates.map(() => 0), waits: new Map() };
}

function addWait({ waits }: Gathered, wait: string): void {
  if (wait !== "") waits.set(wait, (waits.get(wait) ?? 0) + 1);
}

function addTask(gathered: Gathered, task: Task, used: Figures, before: Summed | undefined): void {
  const state = groupStateOf(task.state);
  gathered.states[state] = (gathered.states[state] ?? 0) + 1;
  addWait(gathered, task.wait);
  let sum = gathered.threads.get(task.name);
  if (sum === undefined) {
    sum = { count: 0, counters: [...(before?.counters ?? used.map(() => 0))] };
    gathered.threads.set(task.name, sum);
  }
  sum.count++;
  for (const [index, figure] of used.entries()) sum.counters[index] = (sum.counters[index] ?? 0) + figure;
}

function toThreadGroup(name: string, { threads, states, waits }: Gathered): ThreadGroup {
  return { name, states, waits, threads: [...threads].map(([thread, sum]) => toThread(thread, sum)) };
}

function toThread(name: string, { count, counters }: Summed): NamedThread {
  return {
    name,
    count,
    ...toUsage(counters),
  };
}
