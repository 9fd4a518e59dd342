// The tables of the benchmark.

/** Figures of one number of processes: CPU as best / median. */
export function printSize(size, containers, { scans, servers }) {
  console.log(`\n${size} sleeping processes in ${containers} cgroups`);
  const lines = [
    ["", "CPU µs/process", "scrape ms", "MiB", "first answer ms"],
    ...(scans.bpf === undefined
      ? [["bpf left out", scans.withoutBpf]]
      : [
          ["a scan: pidward, bpf", pair(scans.bpf)],
          ["a scan: C, the kernel's iterator, whole records", pair(scans.iteratorInC)],
          ["a scan: C, the same program in the kernel", pair(scans.walkInC)],
        ]),
    ["a scan: pidward, procfs", pair(scans.procfs)],
    ["a scan: C, the same files", pair(scans.procfsInC)],
    ...servers.map(({ name, cpuUs, latencyMs, residentMiB, firstAnswerMs }) => [
      `a second: ${name}`,
      pair(cpuUs),
      latencyMs === undefined ? "-" : pair(latencyMs),
      String(residentMiB),
      firstAnswerMs === undefined ? "-" : firstAnswerMs.toFixed(0),
    ]),
  ];
  printTable(lines);
  for (const { storm } of servers) {
    if (storm === undefined) continue;
    console.log(
      `  ${storm.made} short-lived processes, ${storm.perSecond.toFixed(0)} a second: ${(storm.share * 100).toFixed(1)} % of a core, ${storm.counted} counted, ${storm.lost} lost`,
    );
  }
}

/** What each group of families costs where it is read each second. */
export function printFamilies({ own, added }, processes, containers) {
  console.log(
    `\na second with one scan, by the families that are on (${processes} processes, ${containers} cgroups)`,
  );
  printTable([
    ["", "CPU ms", "µs/cgroup", "µs/process"],
    ["pidward_* alone", short(own), "-", short((own * 1_000) / processes)],
    ...Object.entries(added).map(([group, ms]) => [
      `${group}_* adds`,
      short(ms),
      short((ms * 1_000) / containers),
      short((ms * 1_000) / processes),
    ]),
  ]);
}

export function printBudgets(rows) {
  console.log("\nbudgets");
  printTable([
    ["", "limit", "measured", ""],
    ...rows.map(({ what, limit, measured, isMet }) => [
      what,
      limit,
      measured ?? "left out",
      measured === undefined ? "" : isMet ? "met" : "MISSED",
    ]),
  ]);
}

function pair({ best, median }) {
  return `${short(best)} / ${short(median)}`;
}

function short(figure) {
  return figure >= 100 ? figure.toFixed(0) : figure >= 10 ? figure.toFixed(1) : figure.toFixed(2);
}

function printTable(lines) {
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...lines.map((line) => (line[column] ?? "").length)),
  );
  for (const line of lines) {
    const cells = line.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]),
    );
    console.log(`  ${cells.join("  ").trimEnd()}`);
  }
}
