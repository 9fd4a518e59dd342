import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { distinctLabels } from "../../agent/metrics/container-names.ts";
import { createExposition, type ExpositionFormat } from "../../agent/metrics/exposition.ts";
import { createOwnMetrics } from "../../agent/metrics/own-metrics.ts";
import { joinPieces } from "../../agent/metrics/pieces.ts";
import type { Snapshot } from "../../agent/model.ts";
import { makeContainer, makeSnapshot } from "../inventory/table.ts";
import { expectGolden } from "./expect-golden.ts";
import { parseExposition } from "./parse-exposition.ts";
import { degradedScene, healthyScene } from "./scenes.ts";

function render(snapshot: Snapshot, format: ExpositionFormat = "text", facts = {}): string {
  const { maxSeries, topProcesses } = { maxSeries: 50_000, topProcesses: 0, ...facts };
  return joinPieces(createExposition({ topProcesses }).render(snapshot, format, maxSeries)).toString();
}

test("a healthy host is exposed as in the golden file", () => {
  expectGolden("healthy.prom", render(healthyScene(), "text", { topProcesses: 2 }));
});

test("a degraded host is exposed as in the golden file: ids for names, and no figure that nobody has", () => {
  expectGolden("degraded.prom", render(degradedScene()));
});

test("OpenMetrics differs by the families' names only", () => {
  expectGolden("healthy.openmetrics", render(healthyScene(), "openmetrics"));
});

test("any name of a program or container comes back as it was", () => {
  const name = fc.string({ unit: "grapheme", minLength: 1 }).map((text) => text.replaceAll("\0", ""));
  fc.assert(
    fc.property(name, name, (program, container) => {
      const snapshot = makeSnapshot(
        [{ pid: 40, name: program, container: "c" }],
        [makeContainer("c", { name: container, initPid: 40 })],
      );
      const [series] = parseExposition(render(snapshot)).filter(
        (one) => one.name === "pidward_program_processes",
      );
      expect(series).toEqual({ name: "pidward_program_processes", labels: { container, program }, value: 1 });
    }),
  );
});

test("half a surrogate pair becomes a replacement character", () => {
  const text = render(makeSnapshot([{ pid: 1, parentPid: 0, name: "a\ud800" }]));
  expect(text).toContain('program="a\ufffd"');
});

test("no series stands twice, also when two containers bear one name", () => {
  const twins = [
    makeContainer("a".repeat(64), { name: "web" }),
    makeContainer("b".repeat(64), { name: "web" }),
  ];
  const snapshot = makeSnapshot(
    twins.map((container, index) => ({ pid: 40 + index, name: "init", container: container.id })),
    twins,
  );
  const keys = parseExposition(render(snapshot)).map((one) => JSON.stringify([one.name, one.labels]));
  expect(new Set(keys).size).toBe(keys.length);
  expect(distinctLabels(twins)).toEqual([`web-${"a".repeat(12)}`, `web-${"b".repeat(12)}`]);
});

test("a program that two managers of a container bear by one name stands once, and managed programs are bounded", () => {
  const one = makeContainer("a".repeat(64), { name: "web" });
  const state = {
    container: 0,
    manager: "runit",
    state: "up",
    condition: "running",
    pid: 40,
    remark: null,
  } as const;
  const managed = (names: readonly string[]) => ({
    ...makeSnapshot([{ pid: 40, name: "init", container: one.id }], [one]),
    managed: names.map((name) => ({ ...state, name })),
  });
  const stateSeries = (text: string) =>
    parseExposition(text).filter((series) => series.name === "pidward_managed_program_state");
  expect(stateSeries(render(managed(["log", "web", "log"]))).map(({ labels }) => labels.program)).toEqual([
    "log",
    "web",
  ]);
  const many = managed(Array.from({ length: 3000 }, (_, index) => `p${index}`));
  const text = render(many, "text", { maxSeries: 1000 });
  expect(parseExposition(text).length).toBeLessThanOrEqual(1000);
  expect(text).toContain('pidward_program_starts_total{container="web",program="init"}');
  expect(text).toContain("\npidward_programs_folded 0\n");
});

test("the number of series is bounded: the smallest programs are summed into one, and how many is told", () => {
  const many = Array.from({ length: 300 }, (_, index) => ({
    pid: 100 + index,
    name: `p${index}`,
    residentBytes: index,
    openFiles: 2,
  }));
  const some = parseExposition(render(makeSnapshot(many), "text", { maxSeries: 1000 }));
  expect(some.length).toBeLessThanOrEqual(1000);
  const processes = some.filter((one) => one.name === "pidward_program_processes");
  const folded = some.find((one) => one.name === "pidward_programs_folded")?.value ?? 0;
  expect(processes.length).toBeGreaterThan(10);
  expect(processes.length + folded - 1).toBe(300);
  expect(processes.at(-1)).toMatchObject({
    labels: { container: "other", program: "other" },
    value: folded,
  });
  expect(processes.slice(0, -1).map((one) => one.labels.program)).toContain("p299");
  const files = some.filter((one) => one.name === "pidward_program_open_files");
  expect(files.reduce((sum, one) => sum + one.value, 0)).toBe(600);
  expect(some.at(-1)).toMatchObject({ name: "pidward_series_dropped", value: 0 });
});

test("what cannot be summed is dropped, and counted", () => {
  const stopped = Array.from({ length: 300 }, (_, index) => makeContainer(`c${index}`, { initPid: null }));
  const snapshot = makeSnapshot([{ pid: 100, name: "p" }], stopped);
  const some = parseExposition(render(snapshot, "text", { maxSeries: 1000 }));
  expect(some.length).toBeLessThanOrEqual(1000);
  expect(some.at(-1)?.value).toBeGreaterThan(1000);
});

test("a container that is called as the sum is told apart from it", () => {
  const own = makeContainer("d".repeat(64), { name: "other", initPid: 99 });
  const many = Array.from({ length: 50 }, (_, index) => ({ pid: 100 + index, name: `p${index}` }));
  const snapshot = makeSnapshot([{ pid: 99, name: "other", container: own.id }, ...many], [own]);
  const keys = parseExposition(render(snapshot, "text", { maxSeries: 500 })).map((one) =>
    JSON.stringify([one.name, one.labels]),
  );
  expect(new Set(keys).size).toBe(keys.length);
});

test("a second rendering differs in what has changed only, and the pieces of the rest are the same", () => {
  const exposition = createExposition({ topProcesses: 0 });
  const make = (openFiles: number, name = "b"): Snapshot =>
    makeSnapshot([
      { pid: 10, name: "a", openFiles },
      { pid: 11, name, openFiles: Number.NaN, openFilesLimit: Number.NaN },
    ]);
  const before = exposition.render(make(1), "text", 50_000);
  const after = exposition.render(make(2), "text", 50_000);
  const fresh = after.filter((piece) => !before.includes(piece)).map(({ bytes }) => bytes.toString());
  expect(fresh).toEqual([
    'pidward_program_open_files{container="",program="a"} 2\n',
    `pidward_program_open_files_worst_ratio{container="",program="a"} ${2 / 1024}\n`,
  ]);
  for (const snapshot of [make(2), make(2, "c"), make(3, "ä"), make(1)]) {
    expect(joinPieces(exposition.render(snapshot, "text", 50_000)).toString()).toBe(render(snapshot));
  }
});

test("whichever figure of a program changes, the next rendering has it", () => {
  const exposition = createExposition({ topProcesses: 0 });
  const base = makeSnapshot([{ pid: 10, name: "a" }]);
  const [program] = base.programs;
  if (program === undefined) throw new Error("there is no program");
  let changed = 0;
  for (const [key, value] of Object.entries(program)) {
    const others = Array.isArray(value)
      ? value.map((figure, index) => value.with(index, figure + 1))
      : typeof value === "number" && key !== "container"
        ? [value + 1]
        : [];
    for (const other of others) {
      const snapshot = { ...base, programs: [{ ...program, [key]: other }] };
      exposition.render(base, "text", 50_000);
      expect(joinPieces(exposition.render(snapshot, "text", 50_000)).toString()).toBe(render(snapshot));
      changed++;
    }
  }
  expect(changed).toBeGreaterThan(25);
});

test("the bound holds from one rendering to the next, whichever way the number of series goes", () => {
  const exposition = createExposition({ topProcesses: 0 });
  const many = (count: number): Snapshot =>
    makeSnapshot(Array.from({ length: count }, (_, index) => ({ pid: 100 + index, name: `p${index}` })));
  for (const count of [10, 300, 300, 20, 31, 10]) {
    const series = parseExposition(joinPieces(exposition.render(many(count), "text", 1000)).toString());
    expect(series.length).toBeLessThanOrEqual(1000);
    const processes = series.filter((one) => one.name === "pidward_program_processes");
    expect(processes.reduce((sum, one) => sum + one.value, 0)).toBe(count);
  }
});

test("the top processes are those that use most, each once", () => {
  const text = render(
    makeSnapshot([
      { pid: 10, name: "small", residentBytes: 1 },
      { pid: 11, name: "big", residentBytes: 1000 },
      { pid: 12, name: "medium", residentBytes: 500 },
    ]),
    "text",
    { topProcesses: 1 },
  );
  const pids = parseExposition(text).filter((one) => one.name === "pidward_process_threads");
  expect(pids.map((one) => one.labels.name)).toContain("big");
  expect(pids.length).toBeLessThanOrEqual(2);
});

/** The agent's own metrics, with a clock of the test, and what they ask for. */
function makeOwnMetrics(clock = { now: 0 }, asked = { lost: 5, isUp: false }) {
  return createOwnMetrics({
    version: "1.2.3",
    source: "procfs",
    sourceReason: "no rights\nlog",
    events: { name: "connector", reason: "no rights", lost: () => asked.lost },
    runtimes: () => [{ name: "docker", available: asked.isUp }],
    features: () => [{ name: "bpf", available: false }],
    refreshMs: 5_000,
    monotonicMs: () => clock.now,
  });
}

test("the agent's own metrics count scans, problems and acts, in both formats", async () => {
  const own = makeOwnMetrics();
  own.scanned({ scanSeconds: 0.02, problems: degradedScene().problems });
  own.acted("signal", "none", "done");
  const text = (await own.render("text")).join("");
  const values = new Map(
    parseExposition(text).map((one) => [`${one.name}${JSON.stringify(one.labels)}`, one.value]),
  );
  expect(values.get('pidward_scan_problems_total{"kind":"refused"}')).toBe(3);
  expect(
    values.get('pidward_control_actions_total{"action":"signal","driver":"none","outcome":"done"}'),
  ).toBe(1);
  expect(values.get('pidward_runtime_up{"runtime":"docker"}')).toBe(0);
  expect(values.get('pidward_source_info{"source":"procfs","reason":"no rights"}')).toBe(1);
  expect(values.get('pidward_events_source_info{"source":"connector","reason":"no rights"}')).toBe(1);
  expect(values.get("pidward_events_lost_total{}")).toBe(5);
  expect(values.get('pidward_feature_available{"feature":"bpf"}')).toBe(0);
  expect(values.get("pidward_scan_duration_seconds_count{}")).toBe(1);
  const open = (await own.render("openmetrics")).join("");
  expect(open).not.toContain("# EOF");
  expect(open).toContain("# TYPE pidward_scan_problems counter");
  expect(open).toContain('pidward_scan_problems_total{kind="refused"} 3');
  expect((await own.render("text")).join("")).toBe(text);
});

test("what Node and the kernel tell of the agent is collected once in a while, its own counters each time", async () => {
  const clock = { now: 0 };
  const own = makeOwnMetrics(clock);
  const figure = async (name: string) =>
    parseExposition((await own.render("text")).join("")).find((one) => one.name === name)?.value;
  const collected = await figure("process_resident_memory_bytes");
  expect(collected).toBeGreaterThan(1 << 20);
  const ballast = Buffer.alloc(64 << 20, 1);
  own.auditFailed();
  clock.now = 4_999;
  expect(await figure("process_resident_memory_bytes")).toBe(collected);
  expect(await figure("pidward_audit_write_failures_total")).toBe(1);
  clock.now = 5_000;
  expect(await figure("process_resident_memory_bytes")).toBeGreaterThan(
    (collected ?? 0) + ballast.length / 2,
  );
});

test("of the agent's own metrics what stays is the same text, and what changes shows in the next rendering", async () => {
  const asked = { lost: 5, isUp: false };
  const own = makeOwnMetrics(undefined, asked);
  const seldom = async () => (await own.render("text")).at(-1) ?? "";
  own.seriesDropped("node", 3);
  const first = await seldom();
  own.scanned({ scanSeconds: 0.02, problems: [] });
  own.seriesDropped("node", 3);
  expect(await seldom()).toBe(first);
  const changes: readonly (readonly [() => void, string])[] = [
    [() => (asked.lost = 6), "pidward_events_lost_total 6"],
    [() => (asked.isUp = true), 'pidward_runtime_up{runtime="docker"} 1'],
    [() => own.seriesDropped("node", 4), 'pidward_family_series_dropped{family="node"} 4'],
    [() => own.cgroupsLeftOut(2), "pidward_cgroups_left_out 2"],
    [() => own.readRefused(), "pidward_http_reads_refused_total 1"],
    [() => own.collectorFailed("node.cpu"), 'pidward_collector_failures_total{collector="node.cpu"} 1'],
    [() => own.auditFailed(), "pidward_audit_write_failures_total 1"],
    [() => own.webConfigRead(true), "pidward_web_config_last_reload_successful 1"],
    [() => own.acted("signal", "none", "done"), 'driver="none",outcome="done"} 1'],
  ];
  for (const [change, line] of changes) {
    expect(await seldom()).not.toContain(line);
    change();
    expect(await seldom()).toContain(line);
    expect((await own.render("openmetrics")).join("")).toContain(line);
  }
});

test("the delay of the event loop is how late a timer came, and begins anew with each collection", async () => {
  const clock = { now: 0 };
  const own = makeOwnMetrics(clock);
  const delays = async () => {
    clock.now += 5_000;
    return new Map(
      parseExposition((await own.render("text")).join("")).flatMap(({ name, value }) => {
        const figure = /^nodejs_eventloop_lag_(\w+)_seconds$/.exec(name)?.[1];
        return figure === undefined ? [] : [[figure, value] as const];
      }),
    );
  };
  const figures = ["min", "max", "mean", "stddev", "p50", "p90", "p99"];
  const none = new Map(figures.map((figure) => [figure, 0]));
  expect(await delays()).toEqual(none);
  for (const late of [0, 20, 20, 20, 700]) own.timerCame(late);
  const late = await delays();
  const figure = (name: string) => late.get(name) ?? Number.NaN;
  expect(figure("min")).toBeLessThan(0.000_01);
  expect(figure("max")).toBeCloseTo(0.7, 1);
  expect(figure("mean")).toBeCloseTo(0.152, 2);
  expect(figure("stddev")).toBeCloseTo(0.274, 2);
  expect(figure("p50")).toBeCloseTo(0.02, 3);
  expect(figure("p99")).toBeCloseTo(0.7, 1);
  expect(await delays()).toEqual(none);
});
