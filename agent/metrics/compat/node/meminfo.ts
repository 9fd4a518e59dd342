import { parseMeminfo } from "../../../source/host/meminfo.ts";
import type { Collector } from "../../samples.ts";
import { gauge, type NodeHost, nodeCollector, single } from "./node-host.ts";

/** A family for each field of the kernel, which has more of them with every release. */
export function createMeminfoCollector({ files }: NodeHost): Collector {
  return nodeCollector("meminfo", () =>
    parseMeminfo(files.read(`${files.roots.proc}/meminfo`) ?? "").map(({ name, unit, value }) => {
      const field = unit === "bytes" ? `${name}_bytes` : name;
      return single(gauge(`node_memory_${field}`, `Memory information field ${field}.`), value);
    }),
  );
}
