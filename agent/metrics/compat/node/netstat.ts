import { parseNetCounters, parseNetCounters6 } from "../../../source/host/net-counters.ts";
import type { Collector } from "../../samples.ts";
import { type NodeHost, nodeCollector, single, untyped } from "./node-host.ts";

/** Those that node_exporter has by default, of some four hundred. */
const wanted =
  /^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$/;

export function createNetstatCollector({ files }: NodeHost): Collector {
  const read = (name: string): string => files.read(`${files.roots.proc}/1/net/${name}`) ?? "";
  return nodeCollector("netstat", () => {
    const counters = new Map([
      ...parseNetCounters(read("netstat"), wanted),
      ...parseNetCounters(read("snmp"), wanted),
      // A host without IPv6 has no such file.
      ...parseNetCounters6(read("snmp6"), wanted),
    ]);
    return [...counters].map(([name, value]) =>
      single(untyped(`node_netstat_${name}`, `Statistic ${name.replace("_", "")}.`), value),
    );
  });
}
