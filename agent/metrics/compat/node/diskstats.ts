import { type Disk, parseDiskstats } from "../../../source/host/diskstats.ts";
import { decimal } from "../../../source/host/fields.ts";
import { parseUdevProperties } from "../../../source/host/udev.ts";
import type { Family } from "../../families.ts";
import type { Collector } from "../../samples.ts";
import { counter, gauge, type NodeHost, nodeCollector, series } from "./node-host.ts";

/** Partitions, and disks that are none. */
const ignored = /^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$/;

/** The kernel counts in these, whatever a disk's own sectors are. */
const sectorBytes = 512;
const millisecond = 0.001;
/** udev's files are read anew after so long. */
const trustMs = 60_000;

const disk = (make: typeof counter, name: string, help: string): Family =>
  make(`node_disk_${name}`, help, "device");

/** In the order of the kernel's columns, each with its unit. */
const columns: readonly (readonly [family: Family, unit: number])[] = [
  [disk(counter, "reads_completed_total", "The total number of reads completed successfully."), 1],
  [disk(counter, "reads_merged_total", "The total number of reads merged."), 1],
  [disk(counter, "read_bytes_total", "The total number of bytes read successfully."), sectorBytes],
  [disk(counter, "read_time_seconds_total", "The total number of seconds spent by all reads."), millisecond],
  [disk(counter, "writes_completed_total", "The total number of writes completed successfully."), 1],
  [disk(counter, "writes_merged_total", "The number of writes merged."), 1],
  [disk(counter, "written_bytes_total", "The total number of bytes written successfully."), sectorBytes],
  [
    disk(counter, "write_time_seconds_total", "This is the total number of seconds spent by all writes."),
    millisecond,
  ],
  [disk(gauge, "io_now", "The number of I/Os currently in progress."), 1],
  [disk(counter, "io_time_seconds_total", "Total seconds spent doing I/Os."), millisecond],
  [
    disk(counter, "io_time_weighted_seconds_total", "The weighted # of seconds spent doing I/Os."),
    millisecond,
  ],
  [disk(counter, "discards_completed_total", "The total number of discards completed successfully."), 1],
  [disk(counter, "discards_merged_total", "The total number of discards merged."), 1],
  [disk(counter, "discarded_sectors_total", "The total number of sectors discarded successfully."), 1],
  [
    disk(counter, "discard_time_seconds_total", "This is the total number of seconds spent by all discards."),
    millisecond,
  ],
  [disk(counter, "flush_requests_total", "The total number of flush requests completed successfully"), 1],
  [
    disk(
      counter,
      "flush_requests_time_seconds_total",
      "This is the total number of seconds spent by all flush requests.",
    ),
    millisecond,
  ],
];

const info = gauge(
  "node_disk_info",
  "Info of /sys/block/<block_device>.",
  "device",
  "major",
  "minor",
  "path",
  "wwn",
  "model",
  "serial",
  "revision",
);
const filesystemInfo = gauge(
  "node_disk_filesystem_info",
  "Info about disk filesystem.",
  "device",
  "type",
  "usage",
  "uuid",
  "version",
);
const deviceMapperInfo = gauge(
  "node_disk_device_mapper_info",
  "Info about disk device mapper.",
  "device",
  "name",
  "uuid",
  "vg_name",
  "lv_name",
  "lv_layer",
);

/** udev's name → family. */
const ataFamilies: readonly (readonly [property: string, family: Family])[] = [
  ["ID_ATA_WRITE_CACHE", disk(gauge, "ata_write_cache", "ATA disk has a write cache.")],
  [
    "ID_ATA_WRITE_CACHE_ENABLED",
    disk(gauge, "ata_write_cache_enabled", "ATA disk has its write cache enabled."),
  ],
  [
    "ID_ATA_ROTATION_RATE_RPM",
    disk(gauge, "ata_rotation_rate_rpm", "ATA disk rotation rate in RPMs (0 for SSDs)."),
  ],
];

type Properties = ReadonlyMap<string, string>;

/** Without udev (a small image, a container whose root is not the host's) the facts are empty, and the figures stay. */
export function createDiskstatsCollector(host: NodeHost): Collector {
  const readProperties = createPropertyReader(host);
  return nodeCollector("diskstats", () => {
    const { files } = host;
    const found = parseDiskstats(files.read(`${files.roots.proc}/diskstats`) ?? "").filter(
      ({ device }) => !ignored.test(device),
    );
    const facts = readProperties(found);
    const of = ({ device }: Disk, ...names: readonly string[]): readonly string[] => [
      device,
      ...names.map((name) => facts.get(device)?.get(name) ?? ""),
    ];
    const having = (property: string) =>
      found.filter(({ device }) => (facts.get(device)?.get(property) ?? "") !== "");
    return [
      series(info, found, (one) => [infoValues(one, facts.get(one.device)), 1]),
      ...columns.map(([family, unit], index) =>
        series(family, found, ({ device, figures }) => {
          const figure = figures[index];
          return [[device], figure === undefined ? undefined : figure * unit];
        }),
      ),
      series(filesystemInfo, having("ID_FS_TYPE"), (one) => [
        of(one, "ID_FS_TYPE", "ID_FS_USAGE", "ID_FS_UUID", "ID_FS_VERSION"),
        1,
      ]),
      series(deviceMapperInfo, having("DM_NAME"), (one) => [
        of(one, "DM_NAME", "DM_UUID", "DM_VG_NAME", "DM_LV_NAME", "DM_LV_LAYER"),
        1,
      ]),
      ...ataFamilies.map(([property, family]) =>
        series(family, having("ID_ATA"), ({ device }) => [
          [device],
          decimal(facts.get(device)?.get(property)),
        ]),
      ),
    ];
  });
}

function infoValues({ device, major, minor }: Disk, facts: Properties | undefined): readonly string[] {
  // The first is the serial on the label; virtio disks have the last only.
  const serial = ["SCSI_IDENT_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL"]
    .map((name) => facts?.get(name) ?? "")
    .find((value) => value !== "");
  const of = (name: string): string => facts?.get(name) ?? "";
  return [
    device,
    String(major),
    String(minor),
    of("ID_PATH"),
    of("ID_WWN"),
    of("ID_MODEL"),
    serial ?? "",
    of("ID_REVISION"),
  ];
}

/** What udev keeps of each device, by its name. */
function createPropertyReader({ files, monotonicMs }: NodeHost) {
  const folder = `${files.roots.rootfs}/run/udev/data`;
  let known = new Map<string, { readonly at: number; readonly key: string; readonly facts: Properties }>();
  return (disks: readonly Disk[]): ReadonlyMap<string, Properties> => {
    const now = monotonicMs();
    known = new Map(
      disks.map(({ device, major, minor }) => {
        const key = `b${major}:${minor}`;
        const last = known.get(device);
        if (last?.key === key && now - last.at <= trustMs) return [device, last];
        const facts = parseUdevProperties(files.read(`${folder}/${key}`) ?? "");
        return [device, { at: now, key, facts }];
      }),
    );
    return new Map([...known].map(([device, { facts }]) => [device, facts]));
  };
}
