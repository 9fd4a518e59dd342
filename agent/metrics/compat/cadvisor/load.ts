import type { Snapshot } from "../../../model.ts";
import type { Collector } from "../../samples.ts";
import { type CgroupFamily, figure, figures, sampleAll } from "./cgroup-family.ts";
import type { CgroupSubject, CgroupSubjects } from "./cgroup-subjects.ts";

/** Seconds in which an old value loses 1/e of its weight. */
const window = 10;

interface Load {
  readonly running: number;
  readonly uninterruptible: number;
}

const states: CgroupFamily = figures(
  "container_tasks_state",
  "gauge",
  "Number of tasks in given state",
  ["state"],
  ({ processes }) =>
    processes === undefined
      ? []
      : (["sleeping", "running", "stopped", "uninterruptible"] as const).map((state) => [
          [state],
          processes[state],
        ]),
);

/** Load averages of cgroups, moved on by each scrape. As cAdvisor has them they are whole thousandths. */
export function createLoadCollector(subjects: CgroupSubjects): Collector {
  let loads: ReadonlyMap<string, Load> = new Map();
  let takenAt = Number.NaN;
  const advance = (all: readonly CgroupSubject[], { takenAt: now }: Snapshot): void => {
    // A clock that was put back makes the new value count alone.
    const decay = now > takenAt ? Math.exp((takenAt - now) / 1000 / window) : 0;
    takenAt = now;
    const fresh = new Map<string, Load>();
    for (const { path, processes } of all) {
      if (processes === undefined) continue;
      const before = loads.get(path) ?? processes;
      fresh.set(path, {
        running: before.running * decay + processes.running * (1 - decay),
        uninterruptible: before.uninterruptible * decay + processes.uninterruptible * (1 - decay),
      });
    }
    loads = fresh;
  };
  const average = (name: string, what: string, read: (load: Load) => number): CgroupFamily =>
    figure(name, "gauge", `Value of container cpu ${what} average over the last 10 seconds.`, ({ path }) => {
      const load = loads.get(path);
      return load && Math.trunc(read(load) * 1000);
    });
  const families = [
    average("container_cpu_load_average_10s", "load", ({ running }) => running),
    average("container_cpu_load_d_average_10s", "load.d", ({ uninterruptible }) => uninterruptible),
    states,
  ];
  return {
    group: "container",
    name: "load",
    collect: async (snapshot) => {
      const all = await subjects.of(snapshot);
      advance(all, snapshot);
      return sampleAll(families, all);
    },
  };
}
