import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseCgroupPath } from "../../agent/containers/cgroup-path.ts";
import { createContainerResolver } from "../../agent/containers/resolver.ts";
import { createTracker } from "../../agent/inventory/tracker.ts";
import {
  type CadvisorParts,
  createCadvisorCollectors,
} from "../../agent/metrics/compat/cadvisor/cadvisor-collectors.ts";
import { joinPieces } from "../../agent/metrics/pieces.ts";
import { type Collector, createSampleRenderer, type FamilySamples } from "../../agent/metrics/samples.ts";
import type { Container, KernelUnits, Snapshot } from "../../agent/model.ts";
import { detectCgroups } from "../../agent/source/cgroupfs/layout.ts";
import { makeTable, type TestProcess } from "../inventory/table.ts";

const fixtures = path.join(__dirname, "../fixtures");
const units: KernelUnits = { bootSeconds: 1_700_000_000.25, ticksPerSecond: 100, pageBytes: 4096 };

/** Folders that look like a host's /proc, /sys and root, with files that were captured on real ones. */
export class ContainerHost {
  readonly root = mkdtempSync(path.join(os.tmpdir(), "pidward-host-"));
  monotonicMs = 0;

  constructor() {
    this.write("proc/diskstats", path.join(fixtures, "cgroup-v2/diskstats"));
    this.write("proc/meminfo", path.join(fixtures, "cgroup-v2/meminfo"));
    this.text("proc/vmstat", "pgfault 12\noom_kill 4\n");
    this.text("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
    this.text("proc/sys/kernel/random/boot_id", "8d0b1c2a-0000-4000-8000-000000000001\n");
    this.text(
      "proc/1/mountinfo",
      `21 26 0:20 / /proc rw - proc proc rw
26 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
27 26 0:21 / /run rw,nosuid shared:5 - tmpfs tmpfs rw
28 26 254:1 /data /srv/my\\040data rw,relatime - ext4 /dev/vda1 rw
29 26 0:30 / /mnt/remote rw - nfs4 server:/export rw
30 26 0:31 / /var/lib/docker/containers/x/mounts/shm rw - tmpfs shm rw
`,
    );
    this.network(1, "4026531840", "eth0", 1000);
    for (const name of ["vda", "loop0"])
      mkdirSync(path.join(this.root, "sys/block", name), { recursive: true });
    for (const [cpu, core] of [0, 0, 1, 1].entries()) {
      this.text(`sys/devices/system/cpu/cpu${cpu}/topology/core_id`, `${core}\n`);
      this.text(`sys/devices/system/cpu/cpu${cpu}/topology/physical_package_id`, "0\n");
    }
    for (const slot of [0, 1]) {
      this.text(`sys/devices/system/edac/mc/mc0/dimm${slot}/dimm_mem_type`, "Registered-DDR4\n");
      this.text(`sys/devices/system/edac/mc/mc0/dimm${slot}/size`, "16384\n");
    }
    this.text("sys/class/dmi/id/product_uuid", "03000200-0400-0500-0006-000700080009\n");
    this.text("rootfs/etc/machine-id", "3d1219c7c4c5404aaa1f6d2a48adfda4\n");
    this.text("rootfs/etc/os-release", 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n');
  }

  text(file: string, text: string): void {
    const full = path.join(this.root, file);
    mkdirSync(path.dirname(full), { recursive: true });
    writeFileSync(full, text);
  }

  private write(file: string, from: string): void {
    mkdirSync(path.dirname(path.join(this.root, file)), { recursive: true });
    cpSync(from, path.join(this.root, file), { recursive: true });
  }

  /** A process in a network namespace, whose one interface besides the loopback has seen so many bytes. */
  network(pid: number, namespace: string, name: string, bytes: number): void {
    const line = (device: string): string =>
      `${device.padStart(6)}: ${bytes} 10 1 2 0 0 0 0 ${bytes * 2} 20 3 4 0 0 0 0\n`;
    this.text(
      `proc/${pid}/net/dev`,
      `Inter-| Receive | Transmit\n face |bytes |bytes\n${line("lo")}${line(name)}${line("veth1a2b")}`,
    );
    mkdirSync(path.join(this.root, `proc/${pid}/ns`), { recursive: true });
    symlinkSync(`net:[${namespace}]`, path.join(this.root, `proc/${pid}/ns/net`));
  }

  /** A cgroup of v2 with the files of one of the captured. */
  unified(cgroup: string, from: "container" | "root"): void {
    this.write(`sys/fs/cgroup${cgroup}`, path.join(fixtures, "cgroup-v2", from));
  }

  controllers(cgroup: string): void {
    for (const controller of readdirSync(path.join(fixtures, "cgroup-v1")))
      this.write(`sys/fs/cgroup/${controller}${cgroup}`, path.join(fixtures, "cgroup-v1", controller));
  }

  pressure(): void {
    this.write("proc/pressure", path.join(fixtures, "cgroup-v2/pressure"));
  }

  /** All folders as old as the containers: their times are shown. */
  settle(): void {
    const folder = path.join(this.root, "sys/fs/cgroup");
    for (const name of ["", ...readdirSync(folder, { recursive: true, encoding: "utf8" })]) {
      const full = path.join(folder, name);
      if (statSync(full).isDirectory()) utimesSync(full, 1_700_000_300, 1_700_000_300);
    }
  }

  collectors(parts: Partial<CadvisorParts> = {}): readonly Collector[] {
    const size = {
      sizeBytes: 1e9,
      freeBytes: 4e8,
      availableBytes: 3e8,
      files: 65_536,
      freeFiles: 60_000,
    };
    return createCadvisorCollectors({
      layout: detectCgroups(path.join(this.root, "sys")),
      procRoot: path.join(this.root, "proc"),
      sysRoot: path.join(this.root, "sys"),
      rootfs: path.join(this.root, "rootfs"),
      units,
      version: "1.2.3",
      monotonicMs: () => this.monotonicMs,
      isOn: (collector) => collector !== "sockets",
      ownContainer: (cgroup) => {
        const place = parseCgroupPath(cgroup);
        return place?.depth === cgroup.split("/").length ? place.containerId : undefined;
      },
      isLabelWanted: (label) => label.startsWith("com.docker.compose."),
      engineVersion: () => "20.10.24",
      space: { read: async () => size },
      measureLayer: async () => ({ bytes: 8192, folder: "/var/lib/docker/overlay2/x/diff" }),
      onLayerFailure: () => {},
      mostSeries: () => 50_000,
      onLeftOut: () => {},
      ...parts,
    }).filter(({ name }) => parts.isOn?.(name) ?? name !== "sockets");
  }

  remove(): void {
    rmSync(this.root, { recursive: true });
  }
}

/** A snapshot whose processes are in these cgroups: `container` of each is the text of its /proc/PID/cgroup. */
export function snapshotOf(
  processes: readonly TestProcess[],
  containers: readonly Container[],
  takenAt = 1_700_001_000_000,
): Snapshot {
  const resolver = createContainerResolver([{ list: () => containers }]);
  const tracker = createTracker({
    resolve: resolver.resolve,
    knownContainers: resolver.known,
    units,
    maxPrograms: 1000,
  });
  return tracker.advance(
    { table: makeTable(processes), problems: [] },
    { takenAt, monotonicSeconds: takenAt / 1000, scanSeconds: 0.01 },
  );
}

export async function collectAll(
  collectors: readonly Collector[],
  snapshot: Snapshot,
): Promise<readonly FamilySamples[]> {
  const families: FamilySamples[] = [];
  for (const collector of collectors) families.push(...(await collector.collect(snapshot)));
  return families;
}

export async function expose(collectors: readonly Collector[], snapshot: Snapshot): Promise<string> {
  const { pieces } = createSampleRenderer("text")(await collectAll(collectors, snapshot), 1e6);
  return joinPieces(pieces).toString();
}
