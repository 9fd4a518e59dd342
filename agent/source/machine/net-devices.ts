import { parseNetDevLine } from "../host/net-dev.ts";

/** What went through an interface, as /proc/PID/net/dev counts it (proc_pid_net(5)). */
export interface NetDevice {
  readonly name: string;
  readonly received: NetCounts;
  readonly sent: NetCounts;
}

export interface NetCounts {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly dropped: number;
}

/** Who may make interfaces can make many: what is beyond is left out. */
const mostDevices = 64;

/** @param isWanted by an interface's name */
export function parseNetDevices(text: string, isWanted: (name: string) => boolean): readonly NetDevice[] {
  const devices: NetDevice[] = [];
  for (const line of text.split("\n")) {
    const found = parseNetDevLine(line);
    if (found === undefined || !isWanted(found.device)) continue;
    const { device: name, figures } = found;
    if (devices.push({ name, received: countsAt(figures, 0), sent: countsAt(figures, 8) }) === mostDevices)
      break;
  }
  return devices;
}

function countsAt(columns: readonly number[], from: number): NetCounts {
  const [bytes = Number.NaN, packets = Number.NaN, errors = Number.NaN, dropped = Number.NaN] =
    columns.slice(from);
  return { bytes, packets, errors, dropped };
}
