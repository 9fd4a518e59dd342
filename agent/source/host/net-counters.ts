// netstat, snmp:  TcpExt: SyncookiesSent SyncookiesRecv
//                 TcpExt: 0 2
// snmp6:          Ip6InReceives                   	2
import { decimal, fieldsOf } from "./fields.ts";

/** /proc/PID/net/netstat and snmp (kernel documentation, networking/snmp_counter) as `TcpExt_SyncookiesSent`. */
export function parseNetCounters(text: string, wanted: RegExp): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const lines = text.split("\n");
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const [protocol, ...names] = fieldsOf(lines[at] ?? "");
    const [same, ...values] = fieldsOf(lines[at + 1] ?? "");
    if (protocol === undefined || protocol !== same || !/^\w+:$/.test(protocol)) continue;
    for (const [index, name] of names.entries()) {
      const key = `${protocol.slice(0, -1)}_${name}`;
      const value = decimal(values[index]);
      if (value !== undefined && /^\w+$/.test(name) && wanted.test(key)) found.set(key, value);
    }
  }
  return found;
}

/** /proc/PID/net/snmp6 likewise: `Ip6InReceives` is `Ip6_InReceives`. */
export function parseNetCounters6(text: string, wanted: RegExp): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [, protocol = "", name = "", value = ""] of text.matchAll(/^(\w*?6)(\w+)\s+(-?\d+)$/gm)) {
    const key = `${protocol}_${name}`;
    if (wanted.test(key)) found.set(key, Number(value));
  }
  return found;
}
