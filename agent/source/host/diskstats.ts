//  254       0 vda 498535 47205 15078154 252662 303987 443911 23349840 309338 0 131836 627229 220282 42 13391080 46855 46703 18373
import { decimal, fieldsOf } from "./fields.ts";

/** A line of /proc/diskstats (kernel documentation, admin-guide/iostats). */
export interface Disk {
  readonly major: number;
  readonly minor: number;
  readonly device: string;
  /** 11 figures, 15 since Linux 4.18 (discards), 17 since 5.5 (flushes); 4 for a partition before 2.6.25. */
  readonly figures: readonly number[];
}

export function parseDiskstats(text: string): readonly Disk[] {
  return text.split("\n").flatMap((line) => {
    const [first, second, device, ...rest] = fieldsOf(line);
    const [major, minor] = [decimal(first), decimal(second)];
    const figures = rest.flatMap((field) => decimal(field) ?? []);
    if (major === undefined || minor === undefined || device === undefined) return [];
    return figures.length === rest.length && figures.length >= 11 ? [{ major, minor, device, figures }] : [];
  });
}
