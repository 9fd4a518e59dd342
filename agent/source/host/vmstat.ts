// nr_free_pages 4870120
// pgfault 121698638

/** Counters of /proc/vmstat (proc_vmstat(5)) by name, as far as the pattern has them. */
export function parseVmstat(text: string, wanted: RegExp): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (!wanted.test(line)) continue;
    const [, name = "", value = ""] = /^(\w+) (\d+)$/.exec(line) ?? [];
    if (name !== "") found.set(name, Number(value));
  }
  return found;
}
