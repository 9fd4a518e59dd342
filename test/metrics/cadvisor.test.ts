import { readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { createOomTotals } from "../../agent/metrics/compat/cadvisor/oom-totals.ts";
import { subjectLabels } from "../../agent/metrics/compat/cadvisor/subject-labels.ts";
import type { Container, Snapshot } from "../../agent/model.ts";
import { makeContainer, type TestProcess } from "../inventory/table.ts";
import { ContainerHost, collectAll, expose, snapshotOf } from "./container-host.ts";
import { parseExposition, type Series } from "./parse-exposition.ts";

const webId = "c0ffee".padEnd(64, "0");
const sideId = "decade".padEnd(64, "1");
const goneId = "facade".padEnd(64, "2");

let host: ContainerHost;
beforeEach(() => {
  host = new ContainerHost();
});
afterEach(() => host.remove());

/** Compares with a file of test/golden; UPDATE_GOLDEN=1 writes it anew: read the difference then. */
function expectGolden(name: string, text: string): void {
  const file = path.join(__dirname, "../golden", name);
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, "utf8"));
}

const containers: readonly Container[] = [
  makeContainer(webId, {
    name: "web",
    initPid: 40,
    health: "healthy",
    labels: {
      "com.docker.compose.project": "shop",
      "com.docker.compose.service": 'the "web"\n',
      "org.opencontainers.image.title": "not wanted",
    },
  }),
  makeContainer(sideId, { name: "side", initPid: 50 }),
  makeContainer(goneId, { name: "gone", state: "exited", exitCode: 3, initPid: null }),
];

/** A container with two processes, and one that shares its network. */
function processes(cgroupOf: (id: string) => string, host_: string): readonly TestProcess[] {
  return [
    { pid: 1, parentPid: 0, name: "systemd", container: host_ },
    { pid: 40, name: "entry.sh", container: cgroupOf(webId), openFiles: 5 },
    { pid: 41, name: "nginx", container: cgroupOf(webId), state: "R", openFiles: 7 },
    {
      pid: 50,
      name: "side",
      container: cgroupOf(sideId),
      state: "D",
      openFilesLimit: Number.POSITIVE_INFINITY,
    },
  ];
}

function unifiedScene(): Snapshot {
  const own = (id: string): string => `/system.slice/docker-${id}.scope`;
  host.text("sys/fs/cgroup/cgroup.controllers", "cpu io memory pids\n");
  host.unified("", "root");
  host.unified("/system.slice", "container");
  for (const id of [webId, sideId]) host.unified(own(id), "container");
  host.text(`sys/fs/cgroup${own(webId)}/cpu.max`, "50000 100000\n");
  host.text(`sys/fs/cgroup${own(webId)}/memory.max`, "67108864\n");
  host.text(
    `sys/fs/cgroup${own(webId)}/io.stat`,
    "254:0 rbytes=1683456 wbytes=4096 rios=19 wios=1 dbytes=0 dios=0 cost.usage=1500000 cost.wait=2 cost.indebt=0 cost.indelay=3\n259:7 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n",
  );
  host.pressure();
  host.network(40, "4026532322", "eth0", 5000);
  host.network(50, "4026532322", "eth0", 5000);
  host.settle();
  return snapshotOf(
    processes((id) => `0::${own(id)}\n`, "0::/\n"),
    containers,
  );
}

function controllerScene(): Snapshot {
  for (const cgroup of ["", "/docker", `/docker/${webId}`, `/docker/${sideId}`]) host.controllers(cgroup);
  host.text(`sys/fs/cgroup/cpu/docker/${webId}/cpu.cfs_quota_us`, "50000\n");
  host.network(40, "4026532322", "eth0", 5000);
  host.network(50, "4026531840", "eth0", 1000);
  host.settle();
  const text = (cgroup: string): string =>
    `4:memory:${cgroup}\n3:cpuacct:${cgroup}\n1:name=systemd:${cgroup}\n`;
  return snapshotOf(
    processes((id) => text(`/docker/${id}`), text("/")),
    containers,
  );
}

/** Layers are measured behind the first scrape. */
async function exposeTwice(snapshot: Snapshot): Promise<string> {
  const collectors = host.collectors();
  await expose(collectors, snapshot);
  return expose(collectors, { ...snapshot });
}

describe("golden expositions", () => {
  test("v2, healthy", async () => expectGolden("container-v2.prom", await exposeTwice(unifiedScene())));

  test("v1, healthy", async () => expectGolden("container-v1.prom", await exposeTwice(controllerScene())));

  test("v2 without an engine, an old kernel's files, and what may not be read: no figure that nobody has", async () => {
    const snapshot = unifiedScene();
    const own = path.join(host.root, `sys/fs/cgroup/system.slice/docker-${webId}.scope`);
    for (const name of ["memory.peak", "io.stat", "cpu.pressure", "memory.stat", "pids.max"])
      rmSync(path.join(own, name));
    for (const name of ["proc/vmstat", "proc/pressure", "proc/40", "sys/devices", "sys/class"])
      rmSync(path.join(host.root, name), { recursive: true });
    const text = (id: string): string => `0::/system.slice/docker-${id}.scope\n`;
    const alone = snapshotOf(processes(text, "0::/\n"), []);
    host.settle();
    expectGolden(
      "container-v2-degraded.prom",
      await expose(host.collectors({ engineVersion: () => "" }), { ...alone, takenAt: snapshot.takenAt }),
    );
  });

  test("v1 with a controller that is not mounted", async () => {
    const snapshot = controllerScene();
    for (const name of ["blkio", "pids", "cpu"])
      rmSync(path.join(host.root, "sys/fs/cgroup", name), { recursive: true });
    host.settle();
    expectGolden("container-v1-degraded.prom", await expose(host.collectors(), snapshot));
  });
});

async function seriesOf(snapshot: Snapshot, parts = {}): Promise<readonly Series[]> {
  return parseExposition(await expose(host.collectors(parts), snapshot));
}

test("a file system that does not answer is left out, the others of the host are there", async () => {
  const size = { sizeBytes: 10, freeBytes: 4, availableBytes: 3, files: 8, freeFiles: 2 };
  const space = { read: async (folder: string) => (folder.endsWith("/run") ? "stuck" : size) };
  const shown = (await seriesOf(unifiedScene(), { space })).filter(
    ({ name, labels }) => name === "container_fs_usage_bytes" && labels.id === "/",
  );
  expect(shown.map(({ labels, value }) => [labels.device, value])).toEqual([["/dev/vda1", 6]]);
});

describe("the list of cAdvisor", () => {
  /** Families that are on by default there and are not here, with the reason. */
  const absent: Readonly<Record<string, string>> = {
    machine_nvm_capacity: "needs Intel's library; cAdvisor without it shows 0",
    machine_nvm_avg_power_budget_watts: "needs Intel's library; cAdvisor without it shows 0",
  };

  test("has each family that is on by default, under its type and labels, or a reason", async () => {
    const snapshot = unifiedScene();
    const collectors = host.collectors();
    await collectAll(collectors, snapshot);
    const found = new Map(
      (await collectAll(collectors, { ...snapshot })).map((one) => [one.family.name, one]),
    );
    const [, ...lines] = readFileSync(path.join(__dirname, "../fixtures/cadvisor-metrics.tsv"), "utf8")
      .trimEnd()
      .split("\n");
    const rows = lines.map((line) => line.split("\t"));
    const wanted = rows.filter(([, , , group, isOn]) => isOn === "on" || group === "process");
    for (const [name = "", type, labels = ""] of wanted) {
      if (name in absent || name === "container_sockets") continue;
      const one = found.get(name);
      expect({ name, type: one?.family.type, hasSamples: (one?.samples.length ?? 0) > 0 }).toEqual({
        name,
        type,
        hasSamples: true,
      });
      if (name !== "cadvisor_version_info")
        expect([name, one?.family.labels.join(",")]).toEqual([name, labels]);
    }
    expect(wanted.length).toBeGreaterThan(90);
    const known = new Set(rows.map(([name]) => name));
    expect([...found.keys()].filter((name) => !known.has(name))).toEqual([]);
  });
});

describe("labels", () => {
  test("a container has name and image, another cgroup neither, and / is there", async () => {
    const seen = (await seriesOf(unifiedScene())).filter(({ name }) => name === "container_last_seen");
    expect(seen.map(({ labels }) => labels)).toEqual([
      { id: "/" },
      { id: "/system.slice" },
      {
        id: `/system.slice/docker-${webId}.scope`,
        name: "web",
        image: "shop/web:3",
        container_label_com_docker_compose_project: "shop",
        container_label_com_docker_compose_service: 'the "web"\n',
      },
      { id: `/system.slice/docker-${sideId}.scope`, name: "side", image: "shop/web:3" },
    ]);
  });

  test("of two labels that become one name the first stays, and neither number nor length is unbounded", () => {
    const labels = (of: Record<string, string>) =>
      parseExposition(`x{${subjectLabels("/x", makeContainer(webId, { labels: of }), () => true)}} 1`)[0]
        ?.labels;
    expect(labels({ "a.b": "1", "a-b": "2", ü: "3" })).toMatchObject({
      container_label_a_b: "2",
      container_label__: "3",
    });
    const many = Object.fromEntries(
      Array.from({ length: 500 }, (_, index) => [`l${index}`, "x".repeat(5000)]),
    );
    const kept = labels(many) ?? {};
    expect(Object.keys(kept)).toHaveLength(64 + 3);
    expect(kept.container_label_l0).toHaveLength(1024);
  });

  test("any labels make a text that comes back, each name once", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })), (of) => {
        const text = subjectLabels("/x", makeContainer(webId, { labels: of }), () => true);
        expect(parseExposition(`x{${text}} 1`)[0]?.labels.id).toBe("/x");
      }),
    );
  });
});

test("the network is shown once for each namespace, the host's at / alone", async () => {
  const received = (series: readonly Series[]) =>
    series
      .filter(({ name }) => name === "container_network_receive_bytes_total")
      .map(({ labels, value }) => [labels.name ?? labels.id, labels.interface, value]);
  // `side` shares the namespace of `web`, which was there first.
  expect(received(await seriesOf(unifiedScene()))).toEqual([
    ["/", "eth0", 1000],
    ["web", "eth0", 5000],
  ]);
});

test("a collector that is off is not read for", async () => {
  const names = (series: readonly Series[]) => new Set(series.map(({ name }) => name));
  const found = names(await seriesOf(unifiedScene(), { isOn: (name: string) => name === "memory" }));
  expect([...found].filter((name) => !name.startsWith("container_memory_"))).toEqual([]);
  expect(found.size).toBeGreaterThan(15);
});

test("series end with the container, and a new one is found at once", async () => {
  const snapshot = controllerScene();
  const collectors = host.collectors();
  const ids = async (of: Snapshot) =>
    parseExposition(await expose(collectors, of)).flatMap(({ name, labels }) =>
      name === "container_memory_usage_bytes" ? [labels.id] : [],
    );
  expect(await ids(snapshot)).toEqual(["/", "/docker", `/docker/${webId}`, `/docker/${sideId}`]);
  const fresh = "badcafe".padEnd(64, "3");
  for (const controller of ["memory", "cpuacct"])
    rmSync(path.join(host.root, `sys/fs/cgroup/${controller}/docker/${sideId}`), { recursive: true });
  host.controllers(`/docker/${fresh}`);
  host.monotonicMs += 1_500;
  const next = snapshotOf(
    [{ pid: 60, name: "x", container: `4:memory:/docker/${fresh}\n` }],
    [makeContainer(fresh, { name: "fresh", initPid: 60 })],
  );
  expect(await ids(next)).toEqual(["/", "/docker", `/docker/${fresh}`, `/docker/${webId}`].sort());
});

test("the load average decays as cAdvisor's does, in thousandths", async () => {
  const snapshot = controllerScene();
  const [load] = host.collectors().filter(({ name }) => name === "load");
  const value = async (of: Snapshot) =>
    parseExposition(await expose(load === undefined ? [] : [load], of)).find(
      ({ name, labels }) => name === "container_cpu_load_average_10s" && labels.name === "web",
    )?.value;
  expect(await value(snapshot)).toBe(1000);
  const { table } = snapshot;
  const idle = { ...snapshot, table: { ...table, state: table.state.map(() => "S".charCodeAt(0)) } };
  expect(await value({ ...idle, takenAt: snapshot.takenAt + 10_000 })).toBe(367);
  expect(await value({ ...idle, takenAt: snapshot.takenAt + 20_000 })).toBe(135);
});

describe("OOM kills", () => {
  test("go on counting when the container starts again", () => {
    const totals = createOomTotals(() => 0);
    expect(totals.total("a", 1, 2, 0)).toBe(2);
    expect(totals.total("a", 1, 3, 1)).toBe(3);
    // Its new cgroup.
    expect(totals.total("a", 9, 0, 1)).toBe(3);
    expect(totals.total("a", 9, 1, 2)).toBe(4);
    // The kill that ended it was not read any more, but its end was seen.
    expect(totals.total("a", 12, 0, 3)).toBe(5);
    totals.keep(new Set());
    expect(totals.total("a", 12, 0, 0)).toBe(0);
  });

  test("are counted once when the first look comes between a kill and the booking of its end", () => {
    let now = 0;
    const totals = createOomTotals(() => now);
    // One that came before the agent, and one whose end is still to be booked.
    expect(totals.total("a", 1, 2, 0)).toBe(2);
    now = 220;
    expect(totals.total("a", 1, 2, 1)).toBe(2);
    expect(totals.total("a", 9, 0, 1)).toBe(2);
    expect(totals.total("a", 9, 1, 2)).toBe(3);
    // Scans that are far apart.
    expect(totals.total("b", 1, 1, 0)).toBe(1);
    now += 60_000;
    expect(totals.total("b", 1, 1, 1)).toBe(1);
    // An end below it later on, which its cgroup does not count.
    expect(totals.total("b", 1, 1, 2)).toBe(2);
  });

  test("of before the agent stay, also when an end comes that the cgroup does not count", () => {
    let now = 0;
    const totals = createOomTotals(() => now);
    expect(totals.total("a", 1, 1, 0)).toBe(1);
    now = 10_000;
    expect(totals.total("a", 1, 1, 0)).toBe(1);
    now = 20_000;
    expect(totals.total("a", 1, 1, 1)).toBe(2);
  });

  test("never fall, whatever is read", () => {
    const look = fc.tuple(fc.nat(3), fc.nat(5), fc.nat(5), fc.nat(6_000));
    fc.assert(
      fc.property(fc.array(look), (looks) => {
        let now = 0;
        const totals = createOomTotals(() => now);
        const shown = looks.map(([inode, kills, ends, later]) => {
          now += later;
          return totals.total("a", inode, kills, ends) ?? -1;
        });
        expect(shown).toEqual(shown.toSorted((a, b) => a - b));
      }),
    );
  });
});

test("an engine that cannot measure layers is left alone, and asked again later", async () => {
  const snapshot = controllerScene();
  let calls = 0;
  const collectors = host.collectors({
    measureLayer: async () => {
      calls++;
      throw new Error("busy");
    },
  });
  const scrape = async () => expose(collectors, { ...snapshot });
  await scrape();
  await scrape();
  expect(calls).toBe(2);
  host.monotonicMs += 16_000;
  await scrape();
  expect(calls).toBe(4);
});

test("sockets are counted from the descriptors' links, when that is asked for", async () => {
  const snapshot = controllerScene();
  const link = (pid: number, fd: number, to: string): void => {
    host.text(`proc/${pid}/fd/.keep`, "");
    rmSync(path.join(host.root, `proc/${pid}/fd/.keep`));
    symlinkSync(to, path.join(host.root, `proc/${pid}/fd/${fd}`));
  };
  link(40, 0, "/dev/null");
  link(40, 3, "socket:[77]");
  link(41, 3, "socket:[78]");
  const series = await seriesOf(snapshot, { isOn: (name: string) => name === "sockets" });
  expect(series.map(({ name, labels, value }) => [name, labels.name, value])).toEqual([
    ["container_sockets", "web", 2],
    ["container_sockets", "side", 0],
  ]);
});
