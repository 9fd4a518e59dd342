// 0001d80c 00000000 00000003 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
import { fieldsOf, hexadecimal } from "./fields.ts";

/** One CPU's line of /proc/net/softnet_stat (net/core/net-procfs.c); undefined: the kernel is older than the column. */
export interface Softnet {
  readonly cpu: number;
  readonly processed: number;
  readonly dropped: number;
  readonly squeezed: number;
  readonly collisions: number | undefined;
  readonly receivedRps: number | undefined;
  readonly flowLimits: number | undefined;
  readonly backlog: number | undefined;
}

export function parseSoftnet(text: string): readonly Softnet[] {
  return text.split("\n").flatMap((line, row) => {
    const figures = fieldsOf(line).map(hexadecimal);
    const [processed, dropped, squeezed] = figures;
    if (processed === undefined || dropped === undefined || squeezed === undefined) return [];
    return [
      {
        // CPUs that are off have no line: newer kernels say whose each is.
        cpu: figures[12] ?? row,
        processed,
        dropped,
        squeezed,
        collisions: figures[8],
        receivedRps: figures[9],
        flowLimits: figures[10],
        backlog: figures[11],
      },
    ];
  });
}
