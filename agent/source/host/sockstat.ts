// sockets: used 69
// TCP: inuse 7 orphan 0 tw 738 alloc 7 mem 0
import { decimal, fieldsOf } from "./fields.ts";

export interface SocketUse {
  readonly protocol: string;
  readonly figures: readonly (readonly [name: string, value: number])[];
}

/** /proc/PID/net/sockstat and sockstat6 (proc_pid_net(5)); `mem` is in pages. */
export function parseSockstat(text: string): readonly SocketUse[] {
  return text.split("\n").flatMap((line) => {
    const [, protocol, rest = ""] = /^(\w+):(( \w+ -?\d+)+)$/.exec(line) ?? [];
    if (protocol === undefined) return [];
    const fields = fieldsOf(rest);
    const figures: (readonly [string, number])[] = [];
    for (let at = 0; at + 1 < fields.length; at += 2)
      figures.push([fields[at] ?? "", decimal(fields[at + 1]) ?? Number.NaN]);
    return [{ protocol, figures }];
  });
}
