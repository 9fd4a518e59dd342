import { ancestorRows } from "../ancestors.ts";
import type { ProcessDetail, ResourceLimit, RestartOutlook } from "../api.ts";
import type { Snapshot } from "../model.ts";
import { type RecordContext, readable, toManagedRecords, toProcessName, toProcessRecord } from "./records.ts";
import { zombieParent } from "./zombies.ts";

/** What is asked for only when someone looks at one process. */
export interface DetailReaders extends RecordContext {
  /** Null when the process is gone or the file is refused. */
  readonly readLimits: (pid: number) => readonly ResourceLimit[] | null;
  readonly sampleCpu: (pid: number) => Promise<number | undefined>;
  readonly outlook: (selector: string, snapshot: Snapshot) => Promise<RestartOutlook>;
}

/** All that is known of the process in one row. */
export async function toProcessDetail(
  row: number,
  snapshot: Snapshot,
  readers: DetailReaders,
): Promise<ProcessDetail> {
  const { table } = snapshot;
  const record = toProcessRecord(row, snapshot, readers);
  const [cpuPercentNow, restart] = await Promise.all([
    readers.sampleCpu(record.pid),
    readers.outlook(record.ref, snapshot),
  ]);
  return {
    ...record,
    ancestors: [...ancestorRows(row, snapshot)].map((one) => toProcessName(one, snapshot)),
    children: childRows(record.pid, snapshot).map((one) => toProcessName(one, snapshot)),
    limits: readers.readLimits(record.pid),
    faults: { minor: readable(table.minorFaults[row]), major: readable(table.majorFaults[row]) },
    contextSwitches: {
      voluntary: readable(table.voluntarySwitches[row]),
      involuntary: readable(table.involuntarySwitches[row]),
    },
    cpuPercentNow: cpuPercentNow ?? null,
    managed: toManagedRecords(snapshot, snapshot.containerOf[row] ?? -1, record.program)[0] ?? null,
    zombieOf: zombieParent(record.pid, snapshot),
    restart,
  };
}

function childRows(pid: number, { table }: Snapshot): readonly number[] {
  const rows: number[] = [];
  for (let row = 0; row < table.length; row++) if (table.parentPid[row] === pid) rows.push(row);
  return rows;
}
