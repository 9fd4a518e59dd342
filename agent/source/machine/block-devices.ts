//  254       0 vda 453794 45084 14362002 235514 291566 428084 22563992 291433 0 124272 589104 214514 42 12865792 45056 44483 17100

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

export function parseDiskstats(text: string): readonly BlockDevice[] {
  return text.split("\n").flatMap((line) => {
    const [major, minor, name = "", ...figures] = line.trim().split(/\s+/);
    const columns = figures.map(Number);
    if (columns.length < 11 || columns.some(Number.isNaN)) return [];
    const figure = (index: number): number => columns[index] ?? Number.NaN;
    return [
      {
        number: `${major}:${minor}`,
        name,
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
      },
    ];
  });
}
