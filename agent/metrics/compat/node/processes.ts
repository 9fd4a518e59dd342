import type { ProcessTable } from "../../../model.ts";
import { parseNumber } from "../../../source/host/fields.ts";
import { countThreadStates } from "../../../source/host/thread-states.ts";
import type { Collector } from "../../samples.ts";
import { gauge, type NodeHost, nodeCollector, series, single } from "./node-host.ts";

const states = gauge("node_processes_state", "Number of processes in each state.", "state");
const threads = gauge("node_processes_threads", "Allocated threads in system");
const threadStates = gauge(
  "node_processes_threads_state",
  "Number of threads in each state.",
  "thread_state",
);
const pids = gauge("node_processes_pids", "Number of PIDs");
const maxProcesses = gauge("node_processes_max_processes", "Number of max PIDs limit");
const maxThreads = gauge("node_processes_max_threads", "Limit of threads in the system");

/**
 * Threads that are looked at one by one: about 10 µs each, in which a host of many would spend more than in all other
 * collectors together. With more than that their states are not shown.
 */
const mostThreads = 2000;

/** Of the scan that is there already; only threads beside others in one process have to be read for their state. */
export function createProcessesCollector({ files }: NodeHost): Collector {
  const { proc } = files.roots;
  return nodeCollector("processes", async ({ table }) => {
    const limit = (name: string): number | undefined =>
      parseNumber(files.read(`${proc}/sys/kernel/${name}`) ?? "");
    return [
      series(states, countStates(table), ([state, count]) => [[state], count]),
      single(
        threads,
        table.threads.reduce((sum, count) => sum + count, 0),
      ),
      series(threadStates, (await countThreads(table, proc)) ?? [], ([state, count]) => [[state], count]),
      single(pids, table.length),
      single(maxProcesses, limit("pid_max")),
      single(maxThreads, limit("threads-max")),
    ];
  });
}

function countStates({ state }: ProcessTable): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const code of state) add(counts, String.fromCharCode(code));
  return counts;
}

/** @returns undefined when there are too many */
async function countThreads(
  { length, pid, state, threads: threadsOf }: ProcessTable,
  proc: string,
): Promise<ReadonlyMap<string, number> | undefined> {
  const counts = new Map<string, number>();
  const others: number[] = [];
  let toRead = 0;
  for (let row = 0; row < length; row++) {
    if ((threadsOf[row] ?? 0) <= 1) add(counts, String.fromCharCode(state[row] ?? 0));
    else {
      others.push(pid[row] ?? 0);
      toRead += threadsOf[row] ?? 0;
    }
  }
  if (toRead > mostThreads) return undefined;
  await countThreadStates(proc, others, (letter) => add(counts, letter));
  return counts;
}

function add(counts: Map<string, number>, state: string): void {
  counts.set(state, (counts.get(state) ?? 0) + 1);
}
