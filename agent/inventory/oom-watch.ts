import type { Container, Snapshot } from "../model.ts";
import { haveSameElements } from "../source/same-elements.ts";

/** Tells whether the OOM killer took a process, where only the counters of containers say so. */
export interface OomWatch {
  /** Takes note of containers that are new, and forgets those that are gone. */
  observe(snapshot: Snapshot): void;
  /**
   * Whether the container's counter has grown since it was looked at; each step explains one process.
   * Null: the container has no counter that can be read.
   */
  explains(container: Container): boolean | null;
}

/** @param readKills of the cgroup that a text of /proc/PID/cgroup names; undefined: unreadable */
export function createOomWatch(readKills: (cgroupText: string) => number | undefined): OomWatch {
  const known = new Map<string, { readonly cgroupText: string; kills: number }>();
  let last: Snapshot | undefined;
  return {
    observe: (snapshot) => {
      const { table, containers, containerOf } = snapshot;
      // The same array: no process has come or gone, or changed its container.
      const isSame = last?.containerOf === containerOf && haveSameElements(last.containers, containers);
      last = snapshot;
      if (isSame) return;
      const present = new Set<string>();
      for (let row = 0; row < table.length; row++) {
        const id = containers[containerOf[row] ?? -1]?.id;
        if (id === undefined || present.has(id)) continue;
        present.add(id);
        if (known.has(id)) continue;
        const cgroupText = table.cgroup[row] ?? "";
        known.set(id, { cgroupText, kills: readKills(cgroupText) ?? 0 });
      }
      for (const id of known.keys()) if (!present.has(id)) known.delete(id);
    },
    explains: ({ id }) => {
      const one = known.get(id);
      const kills = one && readKills(one.cgroupText);
      if (one === undefined || kills === undefined) return null;
      if (kills <= one.kills) return false;
      one.kills++;
      return true;
    },
  };
}
