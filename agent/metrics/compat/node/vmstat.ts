import { parseVmstat } from "../../../source/host/vmstat.ts";
import type { Collector } from "../../samples.ts";
import { type NodeHost, nodeCollector, single, untyped } from "./node-host.ts";

/** Those that node_exporter has by default. */
const wanted = /^(oom_kill|pgpg|pswp|pg.*fault).*/;

export function createVmstatCollector({ files }: NodeHost): Collector {
  return nodeCollector("vmstat", () =>
    [...parseVmstat(files.read(`${files.roots.proc}/vmstat`) ?? "", wanted)].map(([name, value]) =>
      single(untyped(`node_vmstat_${name}`, `/proc/vmstat information field ${name}.`), value),
    ),
  );
}
