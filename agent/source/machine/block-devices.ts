import { type Disk, parseDiskstats } from "../host/diskstats.ts";

/** A block device's work since boot, as /proc/diskstats counts it (Documentation/admin-guide/iostats.rst). */
export interface BlockDevice {
  /** `254:0` */
  readonly number: string;
  /** `vda` */
  readonly name: string;
  readonly reads: number;
  readonly readsMerged: number;
  readonly sectorsRead: number;
  readonly readSeconds: number;
  readonly writes: number;
  readonly writesMerged: number;
  readonly sectorsWritten: number;
  readonly writeSeconds: number;
  readonly underWay: number;
  readonly busySeconds: number;
  readonly weightedSeconds: number;
}

export function parseBlockDevices(text: string): readonly BlockDevice[] {
  return parseDiskstats(text).map(toBlockDevice);
}

function toBlockDevice({ major, minor, device, figures }: Disk): BlockDevice {
  const figure = (index: number): number => figures[index] ?? Number.NaN;
  return {
    number: `${major}:${minor}`,
    name: device,
    reads: figure(0),
    readsMerged: figure(1),
    sectorsRead: figure(2),
    readSeconds: figure(3) / 1000,
    writes: figure(4),
    writesMerged: figure(5),
    sectorsWritten: figure(6),
    writeSeconds: figure(7) / 1000,
    underWay: figure(8),
    busySeconds: figure(9) / 1000,
    weightedSeconds: figure(10) / 1000,
  };
}
