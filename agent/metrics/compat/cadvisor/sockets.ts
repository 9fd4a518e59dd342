import { readdirSync, readlinkSync } from "node:fs";
import type { ProcessTable, Snapshot } from "../../../model.ts";
import { createPauses } from "../../../source/pauses.ts";
import { failureOf } from "../../../source/procfs/files.ts";
import type { Collector } from "../../samples.ts";
import { figure, sampleAll } from "./cgroup-family.ts";
import type { CgroupSubjects } from "./cgroup-subjects.ts";

/** A process is looked at again after this time. */
const holdMs = 60_000;
/** Links that are read in one collection, 3 µs each; what is beyond is looked at in the next ones. */
const mostLinks = 10_000;
/** Processes with more descriptors are not looked at: their containers have no figure. */
const mostDescriptors = 5_000;

export interface SocketParts {
  readonly procRoot: string;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
}

interface Counted {
  readonly startTicks: number;
  readonly at: number;
  /** NaN: cannot be looked at. */
  readonly sockets: number;
}

/** Open sockets of containers: a link is read for each descriptor, which costs more than all else of the group. */
export function createSocketCollector(subjects: CgroupSubjects, parts: SocketParts): Collector {
  const counted = new Map<number, Counted>();
  return {
    group: "container",
    name: "sockets",
    collect: async (snapshot) => {
      const all = await subjects.of(snapshot);
      await look(
        all.flatMap(({ container, rows }) => (container === undefined ? [] : rows)),
        snapshot.table,
      );
      forget(snapshot);
      const family = figure(
        "container_sockets",
        "gauge",
        "Number of open sockets for the container.",
        ({ container, rows }) =>
          container === undefined
            ? undefined
            : rows.reduce((sum, row) => sum + (knownOf(row, snapshot.table)?.sockets ?? Number.NaN), 0),
      );
      return sampleAll([family], all);
    },
  };

  function knownOf(row: number, { pid, startTicks }: ProcessTable): Counted | undefined {
    const one = counted.get(pid[row] ?? 0);
    return one?.startTicks === startTicks[row] ? one : undefined;
  }

  async function look(rows: readonly number[], table: ProcessTable): Promise<void> {
    const pause = createPauses(parts.monotonicMs);
    const now = parts.monotonicMs();
    const ages = rows
      .map((row) => ({ row, at: knownOf(row, table)?.at ?? Number.NEGATIVE_INFINITY }))
      .filter(({ at }) => now - at >= holdMs)
      .sort((a, b) => a.at - b.at);
    let left = mostLinks;
    for (const { row } of ages) {
      const wait = pause();
      if (wait !== undefined) await wait;
      if (left <= 0) break;
      const pid = table.pid[row] ?? 0;
      const { sockets, links } = countSockets(`${parts.procRoot}/${pid}/fd`);
      left -= links;
      counted.set(pid, { startTicks: table.startTicks[row] ?? 0, at: now, sockets });
    }
  }

  function forget({ rowByPid }: Snapshot): void {
    for (const pid of counted.keys()) if (!rowByPid.has(pid)) counted.delete(pid);
  }
}

function countSockets(folder: string): { readonly sockets: number; readonly links: number } {
  try {
    const names = readdirSync(folder);
    if (names.length > mostDescriptors) return { sockets: Number.NaN, links: names.length };
    let sockets = 0;
    for (const name of names) if (isSocket(`${folder}/${name}`)) sockets++;
    return { sockets, links: names.length };
  } catch (error) {
    // Gone: it has none any more.
    return { sockets: failureOf(error) === "gone" ? 0 : Number.NaN, links: 1 };
  }
}

function isSocket(link: string): boolean {
  try {
    return readlinkSync(link).startsWith("socket:");
  } catch (error) {
    // Closed in the meantime.
    failureOf(error);
    return false;
  }
}
