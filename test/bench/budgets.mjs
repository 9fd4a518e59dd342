// What pidward promises, as ratios of figures from one run.

/**
 * @param results by number of processes, as bench.mjs measures them
 * @returns rows: what, the limit, what was measured, undefined where a part was left out
 */
export function budgets(results) {
  const sizes = [...results.keys()];
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  const middle = sizes.includes(5000) ? 5000 : most;
  const server = (size, name) => results.get(size).servers.find((one) => one.name === name);
  const agent = (size) => server(size, "pidward, bpf");
  const exporter = (size) => server(size, "process-exporter, no threads, no smaps");
  const plugin = (size) => server(size, "netdata apps.plugin, without files");
  const storm = agent(sizes[0])?.storm;
  const { scans } = results.get(middle);
  const rows = [
    row(
      `agent at ${middle} / process-exporter (no threads, no smaps)`,
      1 / 100,
      agent(middle)?.cpuUs.median,
      exporter(middle)?.cpuUs.median,
    ),
    row(
      `agent at ${middle} / apps.plugin (without files)`,
      1 / 10,
      agent(middle)?.cpuUs.median,
      plugin(middle)?.cpuUs.median,
    ),
    row(
      `bpf scan at ${middle} / C that reads the kernel's iterator`,
      1.5,
      scans.bpf?.median,
      scans.iteratorInC?.median,
    ),
    row(
      `procfs scan at ${middle} / C that reads the same files`,
      1.3,
      scans.procfs.median,
      scans.procfsInC.median,
    ),
    row(
      `scrape at ${most} / process-exporter's`,
      1 / 50,
      agent(most)?.latencyMs.median,
      exporter(most)?.latencyMs.median,
    ),
    row(`CPU per process at ${most} / at ${least}`, 1, agent(most)?.cpuUs.median, agent(least)?.cpuUs.median),
    figure(`resident memory at ${most}`, 100, agent(most)?.residentMiB, "MiB"),
    figure(`longest block of the loop by a scan at ${most}`, 10, scanBlock(results.get(most)), "ms"),
    figure(`start to the first answered scrape at ${least}`, 1000, agent(least)?.firstAnswerMs, "ms"),
    stormRow(storm),
    figure(
      "ends of those lost or counted wrong",
      0,
      storm && Math.abs(storm.made - storm.counted) + storm.lost,
      "",
    ),
  ];
  return rows;
}

function percent(share) {
  return share === undefined ? undefined : share * 100;
}

/** The machine may not be able to start so many. */
function stormRow(storm) {
  const rate = 2_000;
  const share = percent(storm?.share);
  return {
    what: `share of a core at ${rate} short-lived processes a second`,
    limit: "10 %",
    measured: share === undefined ? undefined : `${share.toFixed(1)} % at ${storm.perSecond.toFixed(0)}`,
    isMet: share <= 10 && storm.perSecond >= 0.95 * rate,
  };
}

function scanBlock({ scans }) {
  return scans.bpf?.longestBlockMs;
}

function row(what, limit, own, other) {
  const ratio = own === undefined || other === undefined ? undefined : own / other;
  return {
    what,
    limit: asRatio(limit),
    measured: ratio === undefined ? undefined : asRatio(ratio),
    isMet: ratio <= limit,
  };
}

function figure(what, limit, own, unit) {
  return {
    what,
    limit: `${limit} ${unit}`,
    measured: own === undefined ? undefined : `${own.toFixed(1)} ${unit}`,
    isMet: own <= limit,
  };
}

function asRatio(ratio) {
  return ratio < 0.5 ? `1/${Math.round(1 / ratio)}` : ratio.toFixed(2);
}
