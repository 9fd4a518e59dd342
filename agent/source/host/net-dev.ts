// Inter-|   Receive                                                |  Transmit
//  face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
//   eth0: 2369633650  101187    0    0    0     0          0         0 11542105   74950    0    0    0     0       0          0
import { decimal, fieldsOf } from "./fields.ts";

/** Names of the columns, as they are in the file's head since Linux 2.2. */
export const netDevColumns = [
  "receive_bytes",
  "receive_packets",
  "receive_errs",
  "receive_drop",
  "receive_fifo",
  "receive_frame",
  "receive_compressed",
  "receive_multicast",
  "transmit_bytes",
  "transmit_packets",
  "transmit_errs",
  "transmit_drop",
  "transmit_fifo",
  "transmit_colls",
  "transmit_carrier",
  "transmit_compressed",
] as const;

export interface NetDev {
  readonly device: string;
  /** By `netDevColumns`. */
  readonly figures: readonly number[];
}

/** /proc/PID/net/dev (proc_pid_net(5)). */
export function parseNetDev(text: string): readonly NetDev[] {
  return text.split("\n").flatMap((line) => parseNetDevLine(line) ?? []);
}

/** Undefined for the head. A name has no blank and can have a colon (`eth0:1`): the last one counts. */
export function parseNetDevLine(line: string): NetDev | undefined {
  const at = line.lastIndexOf(":");
  const device = line.slice(0, Math.max(at, 0)).trim();
  const figures = fieldsOf(line.slice(at + 1)).flatMap((field) => decimal(field) ?? []);
  return device !== "" && figures.length === netDevColumns.length ? { device, figures } : undefined;
}
