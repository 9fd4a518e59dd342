// Inter-|   Receive                                                |  Transmit
//  face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
//     lo: 149962540  210968    0    0    0     0          0         0 149962540  210968    0    0    0     0       0          0

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
    // A name has no blank and can have a colon (`eth0:1`): the last one counts.
    const match = /^\s*(\S+): *([\d ]+)$/.exec(line);
    const [, name = "", figures = ""] = match ?? [];
    const columns = figures.trim().split(/ +/).map(Number);
    if (columns.length < 16 || !isWanted(name)) continue;
    if (devices.push({ name, received: countsAt(columns, 0), sent: countsAt(columns, 8) }) === mostDevices)
      break;
  }
  return devices;
}

function countsAt(columns: readonly number[], from: number): NetCounts {
  const [bytes = Number.NaN, packets = Number.NaN, errors = Number.NaN, dropped = Number.NaN] =
    columns.slice(from);
  return { bytes, packets, errors, dropped };
}
