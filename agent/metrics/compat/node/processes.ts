import type { ProcessTable } from "../../../model.ts";
import { parseNumber } from "../../../source/host/fields.ts";
import { createThreadStateReader, type ThreadedProcess } from "../../../source/host/thread-states.ts";
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

/** Of the scan that is there already; only threads beside others in one process have to be read for their state. */
export function createProcessesCollector({ files, monotonicMs }: NodeHost): Collector {
  const { proc } = files.roots;
  const reader = createThreadStateReader(proc, monotonicMs);
  return nodeCollector("processes", async ({ table }) => {
    const limit = (name: string): number | undefined =>
      parseNumber(files.read(`${proc}/sys/kernel/${name}`) ?? "");
    // A process of one thread is in that thread's state.
    const ofThreads = countStates(table, (row) => (table.threads[row] ?? 0) <= 1);
    await reader.count(threadedOf(table), (state, count) => add(ofThreads, state, count));
    return [
      series(
        states,
        countStates(table, () => true),
        ([state, count]) => [[state], count],
      ),
      single(
        threads,
        table.threads.reduce((sum, count) => sum + count, 0),
      ),
      series(threadStates, ofThreads, ([state, count]) => [[state], count]),
      single(pids, table.length),
      single(maxProcesses, limit("pid_max")),
      single(maxThreads, limit("threads-max")),
    ];
  });
}

/** By the state's letter. */
function countStates({ length, state }: ProcessTable, counts: (row: number) => boolean): Map<string, number> {
  const byCode = new Uint32Array(256);
  for (let row = 0; row < length; row++) {
    const code = state[row] ?? 0;
    if (counts(row)) byCode[code] = (byCode[code] ?? 0) + 1;
  }
  const found = new Map<string, number>();
  for (const [code, count] of byCode.entries()) if (count > 0) found.set(String.fromCharCode(code), count);
  return found;
}

function threadedOf(table: ProcessTable): readonly ThreadedProcess[] {
  const found: ThreadedProcess[] = [];
  for (let row = 0; row < table.length; row++) {
    const count = table.threads[row] ?? 0;
    if (count <= 1) continue;
    found.push({
      pid: table.pid[row] ?? 0,
      startTicks: table.startTicks[row] ?? 0,
      threads: count,
      activity: [
        count,
        table.state[row],
        table.userSeconds[row],
        table.systemSeconds[row],
        table.voluntarySwitches[row],
        table.involuntarySwitches[row],
      ].join(" "),
    });
  }
  return found;
}

function add(counts: Map<string, number>, state: string, count: number): void {
  counts.set(state, (counts.get(state) ?? 0) + count);
}
