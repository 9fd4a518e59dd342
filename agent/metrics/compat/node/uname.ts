import type { Collector } from "../../samples.ts";
import { gauge, type NodeHost, nodeCollector, series } from "./node-host.ts";

const info = gauge(
  "node_uname_info",
  "Labeled system information as provided by the uname system call.",
  "domainname",
  "machine",
  "nodename",
  "release",
  "sysname",
  "version",
);

export function createUnameCollector({ readUname }: NodeHost): Collector {
  return nodeCollector("uname", () => [
    series(info, [readUname()], ({ domainname, machine, nodename, release, sysname, version }) => [
      [domainname, machine, nodename, release, sysname, version],
      1,
    ]),
  ]);
}
