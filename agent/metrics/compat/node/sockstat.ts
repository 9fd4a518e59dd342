import { parseSockstat } from "../../../source/host/sockstat.ts";
import type { Collector, FamilySamples } from "../../samples.ts";
import { gauge, type NodeHost, nodeCollector, single } from "./node-host.ts";

const used = gauge("node_sockstat_sockets_used", "Number of IPv4 sockets in use.");

export function createSockstatCollector({ files, pageBytes }: NodeHost): Collector {
  const of = (protocol: string, name: string, value: number): FamilySamples =>
    single(
      gauge(`node_sockstat_${protocol}_${name}`, `Number of ${protocol} sockets in state ${name}.`),
      value,
    );
  return nodeCollector("sockstat", () =>
    // A host without IPv6 has one file only.
    ["sockstat", "sockstat6"]
      .flatMap((name) => parseSockstat(files.read(`${files.roots.proc}/1/net/${name}`) ?? ""))
      .flatMap(({ protocol, figures }) =>
        figures.flatMap(([name, value]) => {
          if (protocol === "sockets") return name === "used" ? [single(used, value)] : [];
          const own = of(protocol, name, value);
          return name === "mem" ? [own, of(protocol, "mem_bytes", value * pageBytes)] : [own];
        }),
      ),
  );
}
