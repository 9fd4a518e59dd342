import { type Pressure, parsePressure } from "../../../source/host/pressure.ts";
import type { Family } from "../../families.ts";
import type { Collector } from "../../samples.ts";
import { counter, type NodeHost, nodeCollector, single } from "./node-host.ts";

const family = (name: string, help: string): Family => counter(`node_pressure_${name}_seconds_total`, help);

const families: readonly (readonly [file: string, kind: keyof Pressure, family: Family])[] = [
  ["cpu", "some", family("cpu_waiting", "Total time in seconds that processes have waited for CPU time")],
  [
    "io",
    "some",
    family("io_waiting", "Total time in seconds that processes have waited due to IO congestion"),
  ],
  [
    "io",
    "full",
    family("io_stalled", "Total time in seconds no process could make progress due to IO congestion"),
  ],
  [
    "irq",
    "full",
    family("irq_stalled", "Total time in seconds no process could make progress due to IRQ congestion"),
  ],
  ["memory", "some", family("memory_waiting", "Total time in seconds that processes have waited for memory")],
  [
    "memory",
    "full",
    family("memory_stalled", "Total time in seconds no process could make progress due to memory congestion"),
  ],
];

/** A kernel that keeps no account of it has no such files, or refuses to read them (psi=0). */
export function createPressureCollector({ files }: NodeHost): Collector {
  return nodeCollector("pressure", () => {
    const read = new Map(
      [...new Set(families.map(([file]) => file))].map((file) => [
        file,
        parsePressure(files.read(`${files.roots.proc}/pressure/${file}`) ?? ""),
      ]),
    );
    return families.map(([file, kind, own]) => {
      const microseconds = read.get(file)?.[kind];
      return single(own, microseconds === undefined ? undefined : microseconds / 1e6);
    });
  });
}
