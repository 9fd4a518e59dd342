// IP address       HW type     Flags       HW address            Mask     Device
// 192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0
import { fieldsOf } from "./fields.ts";

/** /proc/PID/net/arp (arp(7)): entries of each device. */
export function parseArp(text: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const line of text.split("\n").slice(1)) {
    const [, , , , , device] = fieldsOf(line);
    if (device !== undefined) counts.set(device, (counts.get(device) ?? 0) + 1);
  }
  return counts;
}
