//          0     100000      65536

/** One line of /proc/PID/uid_map or gid_map (user_namespaces(7)), as a reader in the host's namespace sees it. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

export function parseIdMap(text: string): readonly IdRange[] {
  return text.split("\n").flatMap((line) => {
    const [inside, outside, count] = line.trim().split(/\s+/).map(Number);
    return inside === undefined || outside === undefined || count === undefined || !(count > 0)
      ? []
      : [{ inside, outside, count }];
  });
}

/** The id inside the namespace; undefined when it has none there. */
export function insideId(outside: number, map: readonly IdRange[]): number | undefined {
  const range = map.find((one) => outside >= one.outside && outside < one.outside + one.count);
  return range && range.inside + (outside - range.outside);
}
