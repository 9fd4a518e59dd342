import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect } from "@jest/globals";
import type { Series } from "../metrics/parse-exposition.ts";
import { TestAgent } from "../support/agent.ts";
import { LoadPrograms } from "../support/load-program.ts";
import { ProcessExporter, readScrape, type Scrape } from "../support/process-exporter.ts";
import { ownFamilies, tolerances } from "../support/process-exporter-differences.ts";
import { testWith } from "../support/test-with.ts";
import { waitFor } from "../support/wait-for.ts";

// Both exporters side by side on this host, with one configuration file, looking at the same processes.

let programs: LoadPrograms;
let original: ProcessExporter;
let agent: TestAgent;
beforeEach(() => {
  programs = new LoadPrograms();
  original = new ProcessExporter();
  agent = new TestAgent();
});
afterEach(async () => {
  await original.stop();
  await agent.remove();
  await programs.remove();
});

async function startBoth(
  config: string,
  options: { readonly original?: readonly string[]; readonly agent?: readonly string[] } = {},
): Promise<void> {
  const file = path.join(programs.folder, "config.yml");
  writeFileSync(file, config);
  const lean = ["-threads=false", "-gather-smaps=false"];
  await Promise.all([
    original.start([`-config.path=${file}`, ...(options.original ?? lean)]),
    agent.start({
      args: [`--process-exporter.config=${file}`, ...(options.agent ?? ["--metrics.families=namedprocess"])],
    }),
  ]);
}

const ours = async (): Promise<Scrape> => readScrape((await agent.get("/metrics")).text);

/** A series' name and labels, in one text. */
const keyOf = ({ name, labels }: Series): string =>
  `${name} ${Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([label, value]) => `${label}=${value}`)
    .join(" ")}`;

/** The series of groups, by key. */
function ofGroups({ series }: Scrape, isGroup: (name: string) => boolean): ReadonlyMap<string, Series> {
  return new Map(
    series
      .filter(({ labels }) => labels.groupname !== undefined && isGroup(labels.groupname))
      .map((one) => [keyOf(one), one]),
  );
}

function figureOf(scrape: Scrape, name: string, group: string): number | undefined {
  return scrape.series.find((one) => one.name === name && one.labels.groupname === group)?.value;
}

const processes = "namedprocess_namegroup_num_procs";
const processesOf = (scrape: Scrape, group: string): number | undefined => figureOf(scrape, processes, group);

interface Both {
  readonly theirs: ReadonlyMap<string, Series>;
  readonly own: ReadonlyMap<string, Series>;
}

/** What both say of groups, when both know so many processes of each. */
async function whenBothHave(expected: Readonly<Record<string, number>>): Promise<Both> {
  let seen = "";
  const look = async (): Promise<Both | undefined> => {
    const [theirs, own] = [await original.scrape(), await ours()];
    const counts = [theirs, own].map((scrape) =>
      Object.keys(expected).map((group) => [group, processesOf(scrape, group)]),
    );
    seen = JSON.stringify(counts);
    const wanted = JSON.stringify(Object.entries(expected));
    if (!counts.every((one) => JSON.stringify(one) === wanted)) return undefined;
    const isOne = (name: string): boolean => name in expected;
    return { theirs: ofGroups(theirs, isOne), own: ofGroups(own, isOne) };
  };
  try {
    return await waitFor("both to know the processes", look);
  } catch (error) {
    throw new Error(`${String(error)}: ${seen}`);
  }
}

/** Families that need what both were not asked for, or that differ on purpose. */
const withoutThreads = /namegroup_(states|threads_wchan)/;

/**
 * Until every series of the one is one of the other, and the figures are the same within what is said of their family:
 * pidward's are those of its last scan, so they come up to the original's a second later.
 * @returns what both said then
 */
async function expectSame(
  expected: Readonly<Record<string, number>>,
  isLeftOut: (series: Series) => boolean = ({ name }) => withoutThreads.test(name),
): Promise<Both> {
  let apart: readonly string[] = [];
  try {
    return await waitFor("both to say the same", async () => {
      const both = await whenBothHave(expected);
      apart = differencesOf(both, isLeftOut);
      return apart.length === 0 && both;
    });
  } catch (error) {
    throw new Error(`${String(error)}\n${apart.join("\n")}`);
  }
}

function differencesOf({ theirs, own }: Both, isLeftOut: (series: Series) => boolean): readonly string[] {
  return [...new Set([...theirs.keys(), ...own.keys()])].flatMap((key) => {
    const [a, b] = [theirs.get(key), own.get(key)];
    const known = a ?? b;
    if (known === undefined || isLeftOut(known)) return [];
    const allowed = tolerances[known.name]?.(a?.value ?? 0) ?? 0;
    const isSame = a !== undefined && b !== undefined && Math.abs(a.value - b.value) <= allowed;
    return isSame ? [] : [`${key}: ${a?.value} and ${b?.value}`];
  });
}

function cpuOf(series: ReadonlyMap<string, Series>, group: string): number {
  const of = (mode: string): number =>
    series.get(`namedprocess_namegroup_cpu_seconds_total groupname=${group} mode=${mode}`)?.value ?? 0;
  return of("user") + of("system");
}

const needs = ["process-exporter", "python"] as const;

testWith(
  needs,
  "by comm: what was used before the start does not count, all of a later process does, and an end keeps both",
  async () => {
    const old = programs.start(programs.link("pwold"));
    await old.tell("burn 0.6");
    await startBoth("process_names:\n- comm: [pwold, pwnew]\n  name: '{{.Comm}}'\n");
    const young = programs.start(programs.link("pwnew"));
    for (const line of ["burn 0.7", "hold 50000000", "open 20"]) await young.tell(line);
    await old.tell("burn 0.3");
    await waitFor("the burn of the old one", async () => {
      const { theirs, own } = await whenBothHave({ pwold: 1, pwnew: 1 });
      return cpuOf(theirs, "pwold") > 0.25 && cpuOf(own, "pwold") > 0.25;
    });
    const both = await expectSame({ pwold: 1, pwnew: 1 });
    expect(cpuOf(both.own, "pwold")).toBeLessThan(0.5);
    expect(cpuOf(both.own, "pwnew")).toBeGreaterThanOrEqual(0.69);
    expect(
      both.own.get("namedprocess_namegroup_open_filedesc groupname=pwnew")?.value,
    ).toBeGreaterThanOrEqual(23);
    await young.end();
    const after = await expectSame({ pwold: 1, pwnew: 0 }, ({ name, labels }) => {
      const isStart = name.endsWith("oldest_start_time_seconds") && labels.groupname === "pwnew";
      // What it used in its last moments is told to pidward only.
      const isLate = labels.groupname === "pwnew" && /_total$/.test(name);
      return withoutThreads.test(name) || isStart || isLate;
    });
    expect(cpuOf(after.own, "pwnew")).toBeGreaterThanOrEqual(cpuOf(both.own, "pwnew"));
  },
  120_000,
);

testWith(
  needs,
  "by exe: the last part of argv[0] or, with a slash, all of it; the procfs source says the same",
  async () => {
    const [first, second] = [programs.link("pwexe1"), programs.link("pwexe2")];
    await startBoth(
      `process_names:\n- exe: [pwexe1, /nowhere/pwexe2]\n- name: 'full {{ .ExeFull -}} |'\n  exe:\n  - ${second}\n`,
      { agent: ["--metrics.families=namedprocess", "--source=procfs"] },
    );
    await programs.start(first).tell("burn 0.1");
    await programs.start(second).tell("burn 0.1");
    await expectSame({ pwexe1: 1, [`full ${second}|`]: 1 });
  },
  120_000,
);

testWith(
  needs,
  "by cmdline: all expressions have to match, in Go's syntax, and their groups make the name",
  async () => {
    const file = programs.link("pwcmd");
    await startBoth(
      String.raw`process_names:
- name: '{{.Comm}}:{{.Matches.Port}}:{{.Matches.None}}:{{.Matches}}'
  cmdline:
  - '--port[= ](?P<Port>\d+)'
  - '(?i)--MODE=(\pL+)\b'
- name: '{{.ExeBase}} {{.Username}}'
  comm: [pwcmd]
  cmdline: []
`,
    );
    await programs.start(file, ["--port", "8080", "--mode=FastÄ"]).tell("burn 0.1");
    await programs.start(file, ["--port", "8080"]).tell("burn 0.1");
    const scrape = await original.scrape();
    const names = [...scrape.series].map(({ labels }) => labels.groupname ?? "");
    const matched = names.find((name) => name.startsWith("pwcmd:8080:<no value>:map["));
    expect(matched).toBeDefined();
    await expectSame({ [matched ?? ""]: 1, "pwcmd root": 1 });
  },
  120_000,
);

for (const children of [true, false]) {
  testWith(
    needs,
    children
      ? "children without a rule of their own belong to their ancestor's group, those with one do not"
      : "without children, processes that no rule is about belong to no group",
    async () => {
      // Names of its own: those of another test may be ending, and are in no cgroup any more then.
      const names = ["par", "kid", "own"].map((name) => `pw${name}${children ? "y" : "n"}`);
      const [parentName, , ownName] = names;
      const [parent, kid, ownKid] = names.map((name) => programs.link(name));
      await startBoth(
        `process_names:\n- comm: [${parentName}]\n  name: family\n- comm: [${ownName}]\n  name: '{{.Comm}} {{.Cgroups}}'\n`,
        {
          original: ["-threads=false", "-gather-smaps=false", `-children=${children}`],
          agent: ["--metrics.families=namedprocess", `--process-exporter.children=${children}`],
        },
      );
      const program = programs.start(parent ?? "");
      for (const file of [kid, kid, ownKid]) await program.tell(`kid ${file}`);
      // One that is ending is in no cgroup any more: there may be such a group, without a process.
      const own = await waitFor("the original to know the kid with a rule", async () => {
        const { series } = await original.scrape();
        const found = series.find(
          ({ name, labels, value }) =>
            name === processes && value === 1 && labels.groupname?.startsWith(`${ownName} [`) === true,
        );
        return found?.labels.groupname;
      });
      await expectSame({ family: children ? 3 : 1, [own]: 1 });
    },
    120_000,
  );
}

testWith(
  needs,
  "with threads and smaps the families, types and labels are the original's, and so are those figures",
  async () => {
    const program = programs.start(programs.link("pwthr"));
    for (const line of ["threads 3", "hold 30000000"]) await program.tell(line);
    await startBoth("process_names:\n- comm: [pwthr]\n  name: '{{.Comm}}'\n", {
      original: [],
      agent: ["--metrics.families=namedprocess,namedprocess.threads,namedprocess.smaps"],
    });
    const pss = "namedprocess_namegroup_memory_bytes groupname=pwthr memtype=proportionalResident";
    await waitFor("the first reading of smaps", async () => {
      return (ofGroups(await ours(), () => true).get(pss)?.value ?? 0) > 0;
    });
    const both = await expectSame({ pwthr: 1 }, ({ name, labels }) => {
      // The PSS of libraries depends on who else has them mapped; each side's own scrape wakes nobody, but switches count.
      return labels.memtype === "proportionalResident" || name.includes("context_switches");
    });
    expect(both.own.get(pss)?.value).toBeGreaterThan(30_000_000);
    expect(both.own.get("namedprocess_namegroup_thread_count groupname=pwthr threadname=pwthr")?.value).toBe(
      4,
    );
    const [theirs, own] = [await original.scrape(), await ours()];
    const families = ({ types }: Scrape): readonly (readonly [string, string])[] =>
      [...types].filter(([name]) => /^(namedprocess_|process_exporter_|pidward_)/.test(name)).sort();
    expect(families(own).filter(([name]) => !ownFamilies.some((one) => one === name))).toEqual(
      families(theirs),
    );
    const labels = ({ series }: Scrape): ReadonlySet<string> =>
      new Set(
        series
          .filter(({ name }) => /^(namedprocess_|process_exporter_)/.test(name))
          .map(({ name, labels: all }) => `${name}{${Object.keys(all).sort()}}`),
      );
    expect([...labels(own)].sort()).toEqual([...labels(theirs)].sort());
  },
  120_000,
);

testWith(
  needs,
  "the whole host by Debian's example: groups of processes that were there before have the same names and starts",
  async () => {
    const before = Date.now() / 1000;
    await startBoth("process_names:\n- name: '{{.Comm}}'\n  cmdline:\n  - '.+'\n");
    const started = "namedprocess_namegroup_oldest_start_time_seconds";
    const oldOnes = (scrape: Scrape): readonly (readonly [string, number])[] =>
      scrape.series
        .filter(({ name, value }) => name === started && value > 0 && value < before - 10)
        .map(({ labels, value }) => [labels.groupname ?? "", value] as const)
        .sort();
    // Until none of the old ones ends between the two scrapes.
    await waitFor("both to say the same", async () => {
      const [theirs, own] = [oldOnes(await original.scrape()), oldOnes(await ours())];
      return theirs.length > 0 && JSON.stringify(theirs) === JSON.stringify(own);
    });
  },
  120_000,
);

testWith(
  ["promtool"],
  "promtool has nothing to say of the golden expositions but of names that the original itself has",
  async () => {
    for (const name of ["healthy", "degraded"]) {
      const input = readFileSync(path.join(__dirname, `../golden/namedprocess-${name}.prom`));
      const { stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input, encoding: "utf8" });
      const others = `${stdout}${stderr}`
        .split("\n")
        .filter(
          (line) => line !== "" && !/^namedprocess_(scrape_\w*errors|namegroup_thread_count) /.test(line),
        );
      expect(others).toEqual([]);
    }
  },
);
