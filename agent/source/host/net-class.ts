import type { HostFiles } from "./host-files.ts";

/** Attributes that change by themselves: when one does, all others of the interface are read anew. */
const telltales = ["operstate", "carrier_changes", "flags"] as const;

/** The others: they change with those, or when somebody sets them. */
const attributes = [
  "addr_assign_type",
  "address",
  "broadcast",
  "carrier",
  "carrier_down_count",
  "carrier_up_count",
  "dev_id",
  "dormant",
  "duplex",
  "ifalias",
  "ifindex",
  "iflink",
  "link_mode",
  "mtu",
  "name_assign_type",
  "netdev_group",
  "speed",
  "tx_queue_len",
  "type",
] as const;

export type NetAttribute = (typeof telltales)[number] | (typeof attributes)[number];

/** An interface of /sys/class/net (kernel documentation, ABI/testing/sysfs-class-net). */
export interface NetInterface {
  readonly device: string;
  /** What the driver does not tell, or not in this state, is left out. */
  readonly attributes: Readonly<Partial<Record<NetAttribute, string>>>;
}

/** What was set by hand shows after so long at the latest. */
const trustMs = 30_000;
/** Interfaces that are read anew in one go only because they were not for long: a host can have hundreds. */
const mostRenewals = 8;

/** Twenty files an interface are too many for every scrape: three tell whether the others are still true. */
export interface NetClassReader {
  read(): readonly NetInterface[];
}

interface Known {
  readonly at: number;
  readonly signs: string;
  readonly found: NetInterface;
}

export function createNetClassReader(files: HostFiles, monotonicMs: () => number): NetClassReader {
  const folder = `${files.roots.netSys}/class/net`;
  let known = new Map<string, Known>();
  const readAll = (device: string, names: readonly NetAttribute[]): [NetAttribute, string][] =>
    names.flatMap((name) => {
      const value = files.readAttribute(`${folder}/${device}/${name}`);
      return value === undefined ? [] : [[name, value]];
    });
  return {
    read: () => {
      const now = monotonicMs();
      let renewals = 0;
      const current = new Map<string, Known>();
      for (const device of files.list(folder)) {
        const first = readAll(device, telltales);
        // `bonding_masters` is a file, and an interface can vanish meanwhile.
        if (first.length === 0) continue;
        const signs = first.join("\n");
        const last = known.get(device);
        const isOld = last !== undefined && now - last.at > trustMs && renewals < mostRenewals;
        if (isOld) renewals++;
        if (last !== undefined && last.signs === signs && !isOld) current.set(device, last);
        else {
          const found = {
            device,
            attributes: Object.fromEntries([...first, ...readAll(device, attributes)]),
          };
          current.set(device, { at: now, signs, found });
        }
      }
      known = current;
      return [...current.values()].map(({ found }) => found);
    },
  };
}
