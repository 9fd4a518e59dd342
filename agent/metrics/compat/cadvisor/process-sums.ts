import type { ProcessTable, Snapshot } from "../../../model.ts";

/** The processes of one cgroup, as the scan has seen them. */
export interface ProcessSums {
  readonly processes: number;
  readonly threads: number;
  /** NaN when none could be read. */
  readonly openFiles: number;
  readonly running: number;
  readonly sleeping: number;
  readonly stopped: number;
  readonly uninterruptible: number;
}

export function sumProcesses(rows: readonly number[], table: ProcessTable): ProcessSums {
  let threads = 0;
  let openFiles = Number.NaN;
  const states = { running: 0, sleeping: 0, stopped: 0, uninterruptible: 0 };
  for (const row of rows) {
    threads += table.threads[row] ?? 0;
    const files = table.openFiles[row] ?? Number.NaN;
    if (!Number.isNaN(files)) openFiles = (Number.isNaN(openFiles) ? 0 : openFiles) + files;
    const state = stateOfLetter[String.fromCharCode(table.state[row] ?? 0)];
    if (state !== undefined) states[state]++;
  }
  return { processes: rows.length, threads, openFiles, ...states };
}

/** The states that cAdvisor tells apart; zombies are in none. */
const stateOfLetter: Readonly<Record<string, "running" | "sleeping" | "stopped" | "uninterruptible">> = {
  R: "running",
  S: "sleeping",
  I: "sleeping",
  T: "stopped",
  t: "stopped",
  D: "uninterruptible",
};

/** Rows of the table: of each container, by its index, with all that is below it; and of each cgroup, by its path. */
export interface RowGroups {
  readonly ofContainer: ReadonlyMap<number, readonly number[]>;
  readonly ofPath: ReadonlyMap<string, readonly number[]>;
}

export function createRowGroups(isUnified: boolean): (snapshot: Snapshot) => RowGroups {
  let paths = new Map<string, string | undefined>();
  const pathOf = (text: string): string | undefined => {
    if (paths.size > 10_000) paths = new Map();
    if (!paths.has(text)) paths.set(text, cgroupPath(text, isUnified));
    return paths.get(text);
  };
  let last: (RowGroups & Pick<Snapshot, "containerOf"> & { readonly cgroups: readonly string[] }) | undefined;
  return ({ table, containerOf }) => {
    const cgroups = table.cgroup;
    // While processes neither come nor go both are the arrays of the scan before.
    if (last?.containerOf === containerOf && last.cgroups === cgroups) return last;
    const ofContainer = new Map<number, number[]>();
    const ofPath = new Map<string, number[]>();
    for (let row = 0; row < table.length; row++) {
      push(ofContainer, containerOf[row] ?? -1, row);
      const path = pathOf(table.cgroup[row] ?? "");
      if (path !== undefined) push(ofPath, path, row);
    }
    ofContainer.delete(-1);
    last = { ofContainer, ofPath, containerOf, cgroups };
    return last;
  };
}

function push<K>(groups: Map<K, number[]>, key: K, row: number): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [row]);
  else group.push(row);
}

/** The path in the hierarchy that ids are taken from: v2's, else that of v1's memory or cpuacct controller. */
function cgroupPath(text: string, isUnified: boolean): string | undefined {
  const lines = text.split("\n").map((line) => /^\d+:([^:]*):(.*)$/.exec(line) ?? []);
  const find = (controller: string): string | undefined =>
    lines.find(([, controllers]) => controllers?.split(",").includes(controller))?.[2];
  return isUnified ? find("") : (find("memory") ?? find("cpuacct"));
}
