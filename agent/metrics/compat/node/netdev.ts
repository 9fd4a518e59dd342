import { parseNumber } from "../../../source/host/fields.ts";
import { netDevColumns, parseNetDev } from "../../../source/host/net-dev.ts";
import type { Family } from "../../families.ts";
import type { Collector } from "../../samples.ts";
import { counter, type NodeHost, nodeCollector, series } from "./node-host.ts";

const statistic = (name: string): Family =>
  counter(`node_network_${name}_total`, `Network device statistic ${name}.`, "device");

const columns = netDevColumns.map(statistic);
const noHandler = statistic("receive_nohandler");

/** The interfaces of the host's init: /proc/net would be those of the agent's own network namespace. */
export function createNetdevCollector({ files }: NodeHost): Collector {
  const { proc, netSys } = files.roots;
  return nodeCollector("netdev", () => {
    const found = parseNetDev(files.read(`${proc}/1/net/dev`) ?? "");
    return [
      ...columns.map((family, index) =>
        series(family, found, ({ device, figures }) => [[device], figures[index]]),
      ),
      // The one figure that is not in that file.
      series(noHandler, found, ({ device }) => [
        [device],
        parseNumber(files.readAttribute(`${netSys}/class/net/${device}/statistics/rx_nohandler`) ?? ""),
      ]),
    ];
  });
}
