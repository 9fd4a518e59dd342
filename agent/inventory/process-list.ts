import type { ProcessList, ProcessQuery, ProcessRecord, ProcessSort } from "../api.ts";
import { processState, type Snapshot } from "../model.ts";
import { type RecordContext, toManagedRecords, toProcessRecord } from "./records.ts";
import { findContainer, parseSelector, rowsOfContainer, select } from "./selector.ts";

/** What a record is ordered by. Figures that could not be read come last in either order. */
const sortKeys: Readonly<Record<ProcessSort, (record: ProcessRecord) => number | string | null>> = {
  pid: (record) => record.pid,
  name: (record) => record.name,
  container: (record) => record.container?.name ?? "",
  program: (record) => record.program,
  user: (record) => record.user?.name ?? String(record.user?.id ?? ""),
  state: (record) => record.state,
  cpu: (record) => record.cpuCores,
  "cpu-time": (record) => record.cpuSeconds.user + record.cpuSeconds.system,
  rss: (record) => record.residentBytes,
  virtual: (record) => record.virtualBytes,
  swap: (record) => record.swapBytes,
  threads: (record) => record.threads,
  "open-files": (record) => record.openFiles,
  read: (record) => record.readBytes,
  written: (record) => record.writtenBytes,
  started: (record) => record.startTicks,
};

const ascending: ReadonlySet<ProcessSort> = new Set(["pid", "name", "container", "program", "user", "state"]);

/**
 * Answers GET /api/v1/processes from one snapshot.
 * @throws AgentError `bad_request`, `not_found`, `ambiguous`, `stale_ref` for the selector or container
 */
export function listProcesses(query: ProcessQuery, snapshot: Snapshot, context: RecordContext): ProcessList {
  const records = candidateRows(query, snapshot)
    .filter((row) => fits(row, query, snapshot, context))
    .map((row) => toProcessRecord(row, snapshot, context));
  const sort = query.sort ?? "pid";
  const order = query.order ?? (ascending.has(sort) ? "asc" : "desc");
  records.sort(compareBy(sortKeys[sort], order === "asc" ? 1 : -1));
  return {
    takenAt: new Date(snapshot.takenAt).toISOString(),
    total: records.length,
    processes: query.limit === undefined ? records : records.slice(0, query.limit),
    managed: managedOf(query, snapshot),
  };
}

/** A query for processes of a name, user or state asks for no programs. */
function managedOf(query: ProcessQuery, snapshot: Snapshot): ProcessList["managed"] {
  if (query.name !== undefined || query.user !== undefined || query.state !== undefined) return [];
  const selected = query.selector === undefined ? undefined : select(parseSelector(query.selector), snapshot);
  if (selected?.kind === "process") return [];
  const named = query.container === undefined ? undefined : findContainer(query.container, snapshot);
  const program = query.program ?? selected?.program ?? null;
  return toManagedRecords(snapshot, named ?? selected?.container ?? null, program);
}

function candidateRows(query: ProcessQuery, snapshot: Snapshot): readonly number[] {
  const all = Array.from({ length: snapshot.table.length }, (_, row) => row);
  const selected = query.selector === undefined ? all : select(parseSelector(query.selector), snapshot).rows;
  if (query.container === undefined) return selected;
  const inside = new Set(rowsOfContainer(findContainer(query.container, snapshot), snapshot));
  return selected.filter((row) => inside.has(row));
}

function fits(row: number, query: ProcessQuery, snapshot: Snapshot, context: RecordContext): boolean {
  const { table } = snapshot;
  const program = snapshot.programs[snapshot.programOf[row] ?? -1]?.name;
  if (query.program !== undefined && program !== query.program) return false;
  if (query.name !== undefined && table.name[row] !== query.name) return false;
  if (query.state !== undefined && processState(table.state[row] ?? 0) !== query.state) return false;
  if (query.user === undefined) return true;
  const id = table.userId[row] ?? Number.NaN;
  return String(id) === query.user || context.users.nameOf(id) === query.user;
}

function compareBy(key: (record: ProcessRecord) => number | string | null, direction: 1 | -1) {
  return (a: ProcessRecord, b: ProcessRecord): number => {
    const left = key(a);
    const right = key(b);
    if (left === right) return a.pid - b.pid;
    if (left === null) return 1;
    if (right === null) return -1;
    return (left < right ? -1 : 1) * direction;
  };
}
