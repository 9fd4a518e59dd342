import { setImmediate as yieldToLoop } from "node:timers/promises";
import type { KernelUnits, ProcessTable } from "../../model.ts";
import type { Syscalls } from "../../syscalls.ts";
import type { CgroupTexts } from "../cgroupfs/cgroup-texts.ts";
import { createColumnStore, haveSameLives } from "../columns.ts";
import { createProblems } from "../problems.ts";
import type { ProcessSource, Scan } from "../process-source.ts";
import { createCommandReader } from "../procfs/aio-reader.ts";
import type { GuardedReader } from "../procfs/guarded-reader.ts";
import { createRowReader, type RowScan } from "../procfs/procfs-source.ts";
import type { Btf } from "./btf.ts";
import { createHiddenFinder } from "./hidden-processes.ts";
import { loadTaskPasses } from "./task-passes.ts";
import { createTaskRows } from "./task-rows.ts";
import type { ThreadVisit } from "./thread-sums.ts";

/** Between two yields: rows are cheap, files of /proc, which a process seen for the first time needs, are not. */
const rowsAtOnce = 1_000;
const filesAtOnce = 192;

export interface BpfParts {
  /** The host's procfs, for what the kernel's structs do not hold as text. */
  readonly root: string;
  /** The running kernel's types. */
  readonly btf: Btf;
  readonly cgroups: CgroupTexts;
  readonly units: KernelUnits;
  readonly syscalls: Syscalls;
  /** One of its own when left out. It is closed with the source. */
  readonly commands?: GuardedReader;
  /** What the kernel allows when left out. */
  readonly threads?: ThreadVisit;
}

/**
 * Reads every process by one BPF task iterator: microseconds a process, no compiler and no library. The program is
 * assembled from this kernel's own type information. Command line, cgroup text and PID inside come from /proc, once
 * for each life.
 * @throws AgentError `unavailable` when the kernel or the rights do not allow it
 */
export function createBpfSource(parts: BpfParts): ProcessSource {
  const { btf, syscalls, root, units, cgroups, commands = createCommandReader(syscalls) } = parts;
  const passes = loadTaskPasses(btf, syscalls, parts.threads);
  const { records } = passes;
  // Not `parts`: what lives as long as the source would keep the kernel's types, which are megabytes.
  const rows = createTaskRows({ root, units, cgroups, commands, calls: syscalls.files }, records);
  const procfs = createRowReader({ root, units, commands, calls: syscalls.files });
  const tables = createColumnStore();
  const findHidden = createHiddenFinder(records, root);
  let scans = 0;
  /** Undefined, too, when the scan after it has failed: the records before are not those of this table. */
  let last: ProcessTable | undefined;
  return {
    name: "bpf",
    slowerBecause: passes.slowerBecause,
    scan: async (): Promise<Scan> => {
      const before = last;
      last = undefined;
      await passes.pass(scans);
      await yieldToLoop();
      cgroups.beginRound();
      const count = records.count();
      const hidden = findHidden(scans);
      const columns = tables.begin(count + hidden.length);
      const scan: RowScan = { columns, problems: createProblems(), number: ++scans };
      const written: number[] = [];
      const readHidden = (pid: number): void => {
        const row = columns.length;
        procfs.read(pid, scan);
        // It can have vanished.
        if (columns.length > row) written.push(row);
      };
      let nextHidden = 0;
      let filesRead = 0;
      let sinceYield = 0;
      for (let index = 0; index < count; ) {
        const pid = records.pids[index] ?? 0;
        // Rows ascend by PID, so those that the iterator does not show come in between.
        for (; (hidden[nextHidden] ?? pid) < pid; nextHidden++) readHidden(hidden[nextHidden] ?? 0);
        if (hidden[nextHidden] === pid) nextHidden++;
        const below = hidden[nextHidden] ?? Number.POSITIVE_INFINITY;
        const kept = before === undefined ? 0 : rows.keep(index, below, scan, before, written);
        if (kept === 0) {
          const record = records.at(index);
          if (records.isSummed(record)) {
            written.push(columns.length);
            filesRead += rows.write(record, scan);
          } else readHidden(pid);
        }
        index += Math.max(1, kept);
        if (++sinceYield >= rowsAtOnce || filesRead >= filesAtOnce) {
          sinceYield = 0;
          filesRead = 0;
          await yieldToLoop();
        }
      }
      for (; nextHidden < hidden.length; nextHidden++) readHidden(hidden[nextHidden] ?? 0);
      rows.sweep(scan);
      procfs.sweep(scan);
      const table = tables.finish(written);
      const changes =
        before !== undefined && haveSameLives(before, table) ? { since: before, rows: written } : undefined;
      last = table;
      return { table, problems: scan.problems.list(), changes };
    },
    close: () => {
      commands.close();
      passes.close();
    },
  };
}
