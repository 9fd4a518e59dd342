/** Families that belong together: pidward's own, and those that other exporters have. */
export const metricGroups = ["pidward", "container", "namedprocess", "node"] as const;
export type MetricGroup = (typeof metricGroups)[number];
/** The groups whose names are those of another exporter. */
export type CompatibleGroup = Exclude<MetricGroup, "pidward">;

/** The parts of each group that can be switched, and whether they are on when the group is. */
const metricCollectors = {
  container: {
    cpu: true,
    memory: true,
    diskio: true,
    fs: true,
    network: true,
    process: true,
    sockets: false,
    pressure: true,
    oom: true,
    load: true,
    spec: true,
    machine: true,
  },
  namedprocess: { groups: true, threads: false, smaps: false },
  node: {
    arp: true,
    conntrack: true,
    cpu: true,
    diskstats: true,
    entropy: true,
    filefd: true,
    filesystem: true,
    loadavg: true,
    meminfo: true,
    netclass: true,
    netdev: true,
    netstat: true,
    os: true,
    pressure: true,
    processes: true,
    schedstat: true,
    sockstat: true,
    softnet: true,
    stat: true,
    time: true,
    timex: true,
    udp_queues: true,
    uname: true,
    vmstat: true,
  },
} as const satisfies Record<CompatibleGroup, Readonly<Record<string, boolean>>>;

/** The groups that are on, each with its collectors. `pidward` has none. */
export type MetricChoice = ReadonlyMap<MetricGroup, ReadonlySet<string>>;

/**
 * Reads `pidward,node,-node.timex,namedprocess,namedprocess.smaps`: a group with the collectors that are on by default,
 * a single collector, or, behind a minus sign, one that is to be off. A list that begins with a minus sign is taken off
 * everything that is on by default.
 * @throws Error that names the item
 */
export function parseMetricChoice(text: string): MetricChoice {
  const items = text.split(",").map((item) => item.trim());
  const chosen = new Map<MetricGroup, Set<string>>();
  if (items[0]?.startsWith("-") === true) for (const group of metricGroups) turn(chosen, group, true);
  for (const item of items) {
    if (item !== "") turn(chosen, item.replace(/^[-+]/, ""), !item.startsWith("-"));
  }
  return chosen;
}

function turn(chosen: Map<MetricGroup, Set<string>>, item: string, on: boolean): void {
  const [name = "", collector] = item.split(".");
  const group = metricGroups.find((one) => one === name);
  const known: Readonly<Record<string, boolean>> =
    group === undefined || group === "pidward" ? {} : metricCollectors[group];
  if (group === undefined || (collector !== undefined && known[collector] === undefined)) {
    throw new Error(`"${item}" is no family: ${describeChoices()}`);
  }
  const own = chosen.get(group) ?? new Set();
  if (collector !== undefined) {
    if (on) own.add(collector);
    else own.delete(collector);
    if (on) chosen.set(group, own);
  } else if (on) {
    for (const [one, isDefault] of Object.entries(known)) if (isDefault) own.add(one);
    chosen.set(group, own);
  } else chosen.delete(group);
}

function describeChoices(): string {
  const groups = Object.entries(metricCollectors).map(
    ([group, own]) => `${group} (${Object.keys(own).join(", ")})`,
  );
  return ["pidward", ...groups].join(", ");
}
