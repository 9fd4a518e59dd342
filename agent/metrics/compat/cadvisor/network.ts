import { readFileSync, readlinkSync } from "node:fs";
import type { Snapshot } from "../../../model.ts";
import { type NetDevice, parseNetDevices } from "../../../source/machine/net-devices.ts";
import { createPauses } from "../../../source/pauses.ts";
import { failureOf } from "../../../source/procfs/files.ts";
import type { Collector } from "../../samples.ts";
import { type CgroupFamily, figures, sampleAll } from "./cgroup-family.ts";
import type { CgroupSubject, CgroupSubjects } from "./cgroup-subjects.ts";

export interface NetworkParts {
  readonly procRoot: string;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
}

type DevicesOf = (subject: CgroupSubject) => readonly NetDevice[];

function families(devicesOf: DevicesOf): readonly CgroupFamily[] {
  const counts = [
    ["bytes", "bytes", (device: NetDevice["sent"]) => device.bytes],
    ["packets", "packets", (device: NetDevice["sent"]) => device.packets],
    ["packets_dropped", "packets dropped while", (device: NetDevice["sent"]) => device.dropped],
    ["errors", "errors encountered while", (device: NetDevice["sent"]) => device.errors],
  ] as const;
  const ways = [
    ["receive", "received", "receiving", (device: NetDevice) => device.received],
    ["transmit", "transmitted", "transmitting", (device: NetDevice) => device.sent],
  ] as const;
  return ways.flatMap(([way, done, doing, side]) =>
    counts.map(([count, what, read]) =>
      figures(
        `container_network_${way}_${count}_total`,
        "counter",
        `Cumulative count of ${what} ${what.endsWith("while") ? doing : done}`,
        ["interface"],
        (subject) => devicesOf(subject).map((device) => [[device.name], read(side(device))]),
      ),
    ),
  );
}

/** The loopback, and the host's ends of what containers have on their side: as cAdvisor leaves them out. */
function isWanted(name: string): boolean {
  return !/^(lo|veth|docker)/i.test(name);
}

/** Interfaces, once for each network namespace: of those who share one the first process that came into it has it. */
export function createNetworkCollector(subjects: CgroupSubjects, parts: NetworkParts): Collector {
  const { procRoot } = parts;
  const read = (pid: number): readonly NetDevice[] => {
    const text = orGone(() => readFileSync(`${procRoot}/${pid}/net/dev`, "latin1"));
    return text === undefined ? [] : parseNetDevices(text, isWanted);
  };
  return {
    group: "container",
    name: "network",
    collect: async (snapshot) => {
      const all = await subjects.of(snapshot);
      const pause = createPauses(parts.monotonicMs);
      const found = new Map<string, readonly NetDevice[]>([["/", read(1)]]);
      for (const [path, pid] of owners(all, snapshot, procRoot)) {
        const wait = pause();
        if (wait !== undefined) await wait;
        found.set(path, read(pid));
      }
      return sampleAll(
        families(({ path }) => found.get(path) ?? []),
        all,
      );
    },
  };
}

/** Path of the cgroup → PID whose namespace is shown there. The host's own is that of `/`. */
function owners(
  all: readonly CgroupSubject[],
  { table, rowByPid, containerOf }: Snapshot,
  procRoot: string,
): ReadonlyMap<string, number> {
  const link = (pid: number): string | undefined => orGone(() => readlinkSync(`${procRoot}/${pid}/ns/net`));
  const host = link(1);
  const byNamespace = new Map<
    string,
    { readonly path: string; readonly pid: number; readonly start: number }
  >();
  for (const { path, container, index } of all) {
    const pid = container?.initPid ?? -1;
    const row = rowByPid.get(pid) ?? -1;
    // A PID that is another's by now says nothing of this container.
    if (containerOf[row] !== index || index === -1) continue;
    const namespace = link(pid);
    if (namespace === undefined || namespace === host) continue;
    const start = table.startTicks[row] ?? 0;
    const before = byNamespace.get(namespace);
    if (before === undefined || start < before.start) byNamespace.set(namespace, { path, pid, start });
  }
  return new Map([...byNamespace.values()].map(({ path, pid }) => [path, pid]));
}

/** Undefined when the process is gone or may not be looked at. */
function orGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    failureOf(error);
    return undefined;
  }
}
