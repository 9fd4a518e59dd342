import { parseUdp } from "../../../source/host/udp.ts";
import type { Collector } from "../../samples.ts";
import { gauge, type NodeHost, nodeCollector, series } from "./node-host.ts";

const queues = gauge(
  "node_udp_queues",
  "Number of allocated memory in the kernel for UDP datagrams in bytes.",
  "ip",
  "queue",
);

export function createUdpQueuesCollector({ files }: NodeHost): Collector {
  return nodeCollector("udp_queues", () => {
    const found = [
      ["v4", "udp"],
      ["v6", "udp6"],
    ].flatMap(([ip = "", name]): [string, string, number][] => {
      const text = files.read(`${files.roots.proc}/1/net/${name}`);
      if (text === undefined) return [];
      const { sending, receiving } = parseUdp(text);
      return [
        [ip, "tx", sending],
        [ip, "rx", receiving],
      ];
    });
    return [series(queues, found, ([ip, queue, bytes]) => [[ip, queue], bytes])];
  });
}
