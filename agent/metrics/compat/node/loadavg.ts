import { parseLoadavg } from "../../../source/host/loadavg.ts";
import type { Collector } from "../../samples.ts";
import { gauge, type NodeHost, nodeCollector, single } from "./node-host.ts";

const families = [
  gauge("node_load1", "1m load average."),
  gauge("node_load5", "5m load average."),
  gauge("node_load15", "15m load average."),
] as const;

export function createLoadavgCollector({ files }: NodeHost): Collector {
  return nodeCollector("loadavg", () => {
    const loads = parseLoadavg(files.read(`${files.roots.proc}/loadavg`) ?? "");
    return families.map((family, index) => single(family, loads?.[index]));
  });
}
