import { parseSoftnet, type Softnet } from "../../../source/host/softnet.ts";
import type { Family } from "../../families.ts";
import type { Collector } from "../../samples.ts";
import { counter, gauge, type NodeHost, nodeCollector, series } from "./node-host.ts";

const family = (make: typeof counter, name: string, help: string): Family =>
  make(`node_softnet_${name}`, help, "cpu");

const families: readonly (readonly [family: Family, figure: Exclude<keyof Softnet, "cpu">])[] = [
  [family(counter, "processed_total", "Number of processed packets"), "processed"],
  [family(counter, "dropped_total", "Number of dropped packets"), "dropped"],
  [
    family(counter, "times_squeezed_total", "Number of times processing packets ran out of quota"),
    "squeezed",
  ],
  [
    family(
      counter,
      "cpu_collision_total",
      "Number of collision occur while obtaining device lock while transmitting",
    ),
    "collisions",
  ],
  [family(counter, "received_rps_total", "Number of times cpu woken up received_rps"), "receivedRps"],
  [family(counter, "flow_limit_count_total", "Number of times flow limit has been reached"), "flowLimits"],
  [family(gauge, "backlog_len", "Softnet backlog status"), "backlog"],
];

export function createSoftnetCollector({ files }: NodeHost): Collector {
  return nodeCollector("softnet", () => {
    const found = parseSoftnet(files.read(`${files.roots.proc}/1/net/softnet_stat`) ?? "");
    return families.map(([own, figure]) => series(own, found, (one) => [[String(one.cpu)], one[figure]]));
  });
}
