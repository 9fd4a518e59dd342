import { readdirSync, readFileSync } from "node:fs";
import type { DeviceAccount } from "../../../source/cgroupfs/accounting.ts";
import { type BlockDevice, parseBlockDevices } from "../../../source/machine/block-devices.ts";
import type { MetricType } from "../../families.ts";
import type { Collector } from "../../samples.ts";
import { type CgroupFamily, figures, sampleAll } from "./cgroup-family.ts";
import type { CgroupSubjects } from "./cgroup-subjects.ts";

/** The unit of /proc/diskstats, whatever the device has. */
const sectorBytes = 512;

/** What a family has of a cgroup, and of the host's disks for `id="/"`, which no cgroup counts. */
interface Row {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly ofCgroup?: (device: DeviceAccount) => number;
  readonly ofDisk?: (disk: BlockDevice) => number;
}

const rows: readonly Row[] = [
  {
    name: "container_fs_reads_bytes_total",
    type: "counter",
    help: "Cumulative count of bytes read",
    ofCgroup: (device) => device.readBytes,
    ofDisk: (disk) => disk.sectorsRead * sectorBytes,
  },
  {
    name: "container_fs_reads_total",
    type: "counter",
    help: "Cumulative count of reads completed",
    ofCgroup: (device) => device.reads,
    ofDisk: (disk) => disk.reads,
  },
  {
    name: "container_fs_sector_reads_total",
    type: "counter",
    help: "Cumulative count of sector reads completed",
    ofDisk: (disk) => disk.sectorsRead,
  },
  {
    name: "container_fs_reads_merged_total",
    type: "counter",
    help: "Cumulative count of reads merged",
    ofDisk: (disk) => disk.readsMerged,
  },
  {
    name: "container_fs_read_seconds_total",
    type: "counter",
    help: "Cumulative count of seconds spent reading",
    ofDisk: (disk) => disk.readSeconds,
  },
  {
    name: "container_fs_writes_bytes_total",
    type: "counter",
    help: "Cumulative count of bytes written",
    ofCgroup: (device) => device.writtenBytes,
    ofDisk: (disk) => disk.sectorsWritten * sectorBytes,
  },
  {
    name: "container_fs_writes_total",
    type: "counter",
    help: "Cumulative count of writes completed",
    ofCgroup: (device) => device.writes,
    ofDisk: (disk) => disk.writes,
  },
  {
    name: "container_fs_sector_writes_total",
    type: "counter",
    help: "Cumulative count of sector writes completed",
    ofDisk: (disk) => disk.sectorsWritten,
  },
  {
    name: "container_fs_writes_merged_total",
    type: "counter",
    help: "Cumulative count of writes merged",
    ofDisk: (disk) => disk.writesMerged,
  },
  {
    name: "container_fs_write_seconds_total",
    type: "counter",
    help: "Cumulative count of seconds spent writing",
    ofDisk: (disk) => disk.writeSeconds,
  },
  {
    name: "container_fs_io_current",
    type: "gauge",
    help: "Number of I/Os currently in progress",
    ofDisk: (disk) => disk.underWay,
  },
  {
    name: "container_fs_io_time_seconds_total",
    type: "counter",
    help: "Cumulative count of seconds spent doing I/Os",
    ofDisk: (disk) => disk.busySeconds,
  },
  {
    name: "container_fs_io_time_weighted_seconds_total",
    type: "counter",
    help: "Cumulative weighted I/O time in seconds",
    ofDisk: (disk) => disk.weightedSeconds,
  },
  ...(
    [
      ["usage", "usage"],
      ["wait", "wait"],
      ["indebt", "debt"],
      ["indelay", "delay"],
    ] as const
  ).map(
    ([key, word]): Row => ({
      name: `container_fs_io_cost_${key}_seconds_total`,
      type: "counter",
      help: `Cumulative IOCost ${word} in seconds`,
      ofCgroup: ({ cost }) => (cost.get(key) ?? Number.NaN) / 1e6,
    }),
  ),
];

interface Disks {
  /** Whole disks that have done something. */
  readonly busy: readonly BlockDevice[];
  /** `/dev/vda` of `254:0`; the number where it has no name. */
  readonly nameOf: (number: string) => string;
}

function families({ busy, nameOf }: Disks): readonly CgroupFamily[] {
  return [
    ...rows.map(({ name, type, help, ofCgroup, ofDisk }) =>
      figures(name, type, help, ["device"], ({ path, devices }) => {
        if (path === "/" && ofDisk !== undefined)
          return busy.map((disk) => [[`/dev/${disk.name}`], ofDisk(disk)]);
        if (ofCgroup === undefined) return [];
        return (devices ?? []).map((device) => [[nameOf(device.device)], ofCgroup(device)]);
      }),
    ),
    figures(
      "container_blkio_device_usage_total",
      "counter",
      "Blkio Device bytes usage",
      ["device", "major", "minor", "operation"],
      ({ devices }) =>
        (devices ?? []).flatMap(({ device, bytesByOperation }) => {
          const [major = "", minor = ""] = device.split(":");
          return [...bytesByOperation].map(
            ([operation, bytes]) => [[nameOf(device), major, minor, operation], bytes] as const,
          );
        }),
    ),
  ];
}

function readDisks(procRoot: string, sysRoot: string): Disks {
  const all = parseBlockDevices(readFileSync(`${procRoot}/diskstats`, "utf8"));
  // Partitions are not here: what they do their disk does too.
  const whole = new Set(readdirSync(`${sysRoot}/block`));
  const names = new Map(all.map(({ number, name }) => [number, name.replaceAll("!", "/")]));
  return {
    busy: all.filter(({ name, reads, writes }) => whole.has(name) && reads + writes > 0),
    nameOf: (number) => {
      const name = names.get(number);
      return name === undefined ? number : `/dev/${name}`;
    },
  };
}

export function createDiskIoCollector(
  subjects: CgroupSubjects,
  { procRoot, sysRoot }: { readonly procRoot: string; readonly sysRoot: string },
): Collector {
  return {
    group: "container",
    name: "diskio",
    collect: async (snapshot) => {
      const all = await subjects.of(snapshot);
      return sampleAll(families(readDisks(procRoot, sysRoot)), all);
    },
  };
}
