import { parseArp } from "../../../source/host/arp.ts";
import type { Collector } from "../../samples.ts";
import { gauge, type NodeHost, nodeCollector, series } from "./node-host.ts";

const entries = gauge("node_arp_entries", "ARP entries by device", "device");

export function createArpCollector({ files }: NodeHost): Collector {
  return nodeCollector("arp", () => {
    const text = files.read(`${files.roots.proc}/1/net/arp`);
    return text === undefined
      ? []
      : [series(entries, parseArp(text), ([device, count]) => [[device], count])];
  });
}
