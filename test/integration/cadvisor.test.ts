import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect } from "@jest/globals";
import { parseExposition, type Series } from "../metrics/parse-exposition.ts";
import type { TestContainer } from "../support/containers.ts";
import { outOfMemory } from "../support/out-of-memory.ts";
import { testWith } from "../support/test-with.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

const { agent, containers } = useEngine();
const isUnified = existsSync("/sys/fs/cgroup/cgroup.controllers");

async function scrape(): Promise<readonly Series[]> {
  return parseExposition((await agent.get("/metrics")).text);
}

/** The series of a family that are of one container. */
async function seriesOf(family: string, container: string): Promise<readonly Series[]> {
  return (await scrape()).filter(({ name, labels }) => name === family && labels.name === container);
}

async function figureOf(family: string, container: string): Promise<number | undefined> {
  return (await seriesOf(family, container))[0]?.value;
}

/** The sum over its CPUs, devices or interfaces. */
async function sumOf(family: string, container: string): Promise<number> {
  return (await seriesOf(family, container)).reduce((sum, { value }) => sum + value, 0);
}

function cgroupFile(id: string, controller: string, name: string): string {
  return readFileSync(path.join("/sys/fs/cgroup", isUnified ? "" : controller, id, name), "utf8");
}

function keyed(text: string, key: string): number {
  return Number(new RegExp(`^${key} (\\d+)$`, "m").exec(text)?.[1]);
}

async function idOf({ name }: TestContainer): Promise<string> {
  return waitFor(
    `${name} in the metrics`,
    async () => (await seriesOf("container_last_seen", name))[0]?.labels.id,
  );
}

function cpuSeconds(id: string): number {
  return isUnified
    ? keyed(cgroupFile(id, "", "cpu.stat"), "usage_usec") / 1e6
    : Number(cgroupFile(id, "cpuacct", "cpuacct.usage")) / 1e9;
}

testWith(["docker", "busybox"], "a container that burns CPU has the time that its cgroup says", async () => {
  const burner = await containers.run({
    argv: ["sh", "-c", "while :; do :; done"],
    host: { CpuQuota: 20_000, CpuPeriod: 100_000, CpuShares: 512 },
    labels: { "com.docker.compose.project": "shop", "com.docker.compose.service": "burner", other: "x" },
  });
  const id = await idOf(burner);
  const before = cpuSeconds(id);
  const shown = await waitFor("the CPU time to be shown", async () => {
    const sum = await sumOf("container_cpu_usage_seconds_total", burner.name);
    return sum >= before + 0.2 && sum;
  });
  // The metric's sum over the CPUs and the file's figure are rounded apart.
  expect(shown).toBeLessThanOrEqual(cpuSeconds(id) + 1e-6);
  await waitFor(
    "it to be throttled",
    async () => ((await figureOf("container_cpu_cfs_throttled_periods_total", burner.name)) ?? 0) > 0,
  );
  expect(await figureOf("container_spec_cpu_quota", burner.name)).toBe(20_000);
  const [seen] = await seriesOf("container_last_seen", burner.name);
  expect(seen?.labels).toEqual({
    id,
    name: burner.name,
    image: "pidward-test/fat:latest",
    container_label_com_docker_compose_project: "shop",
    container_label_com_docker_compose_service: "burner",
  });
  expect(id).toContain(burner.id);
  await waitFor(
    "its load",
    async () => ((await figureOf("container_cpu_load_average_10s", burner.name)) ?? 0) > 0,
  );
});

testWith(["docker", "busybox"], "a container that holds memory has what its cgroup says", async () => {
  const holder = await containers.run({
    argv: ["sh", "-c", "x=$(head -c 8000000 /dev/zero | tr '\\0' x); sleep 100000 & wait"],
    host: { Memory: 256 << 20, PidsLimit: 50 },
  });
  const id = await idOf(holder);
  await waitFor(
    "it to hold it",
    async () => ((await figureOf("container_memory_rss", holder.name)) ?? 0) > 7.9e6,
  );
  await waitFor("figures that agree", async () => {
    const stat = cgroupFile(id, "memory", "memory.stat");
    const used = Number(cgroupFile(id, "memory", isUnified ? "memory.current" : "memory.usage_in_bytes"));
    const set = used - keyed(stat, isUnified ? "inactive_file" : "total_inactive_file");
    const shown = (await figureOf("container_memory_working_set_bytes", holder.name)) ?? 0;
    return Math.abs(shown - set) < 0.05 * set;
  });
  expect(await figureOf("container_spec_memory_limit_bytes", holder.name)).toBe(256 << 20);
  expect(await figureOf("container_threads_max", holder.name)).toBe(50);
  await waitFor("both processes", async () => (await figureOf("container_processes", holder.name)) === 2);
  const faults = await seriesOf("container_memory_failures_total", holder.name);
  expect(faults.map(({ labels }) => `${labels.failure_type} ${labels.scope}`).sort()).toEqual([
    "pgfault container",
    "pgfault hierarchy",
    "pgmajfault container",
    "pgmajfault hierarchy",
  ]);
});

testWith(["docker", "busybox"], "interfaces are shown once for those who share a network", async () => {
  const script =
    "ip link add eth9 type bridge && ip addr add 10.9.9.1/24 dev eth9 && ip link set eth9 up && arping -c 3 -w 3 -I eth9 10.9.9.2; sleep 100000";
  const owner = await containers.run({
    argv: ["sh", "-c", script],
    host: { CapAdd: ["NET_ADMIN", "NET_RAW"] },
  });
  const sharer = await containers.run({
    argv: ["sleep", "100000"],
    host: { NetworkMode: `container:${owner.id}` },
  });
  await idOf(sharer);
  const sent = (): number =>
    Number(/^ *eth9: *(?:\d+ +){8}(\d+)/m.exec(readFileSync(`/proc/${owner.pid}/net/dev`, "utf8"))?.[1]);
  await waitFor("figures that agree", async () => {
    const [shown] = await seriesOf("container_network_transmit_bytes_total", owner.name);
    return sent() > 0 && shown?.value === sent() && shown.labels.interface === "eth9";
  });
  expect(await seriesOf("container_network_transmit_bytes_total", sharer.name)).toEqual([]);
  const host = (await scrape()).filter(
    ({ name, labels }) => name === "container_network_receive_bytes_total" && labels.id === "/",
  );
  expect(host.map(({ labels }) => labels.interface)).not.toContain("lo");
});

testWith(
  ["docker", "busybox"],
  "OOM kills are counted on when the container starts again",
  async () => {
    const gate = "until [ -e /tmp/go ]; do usleep 50000; done; rm /tmp/go";
    const { name, id } = await containers.run({
      argv: ["sh", "-c", `${gate}; dd if=/dev/zero of=/dev/null bs=200M count=1; sleep 424242`],
      host: { Memory: 16 << 20, MemorySwap: 16 << 20 },
    });
    const killsAre = (count: number) =>
      waitFor(
        `${count} kills`,
        async () => (await figureOf("container_oom_events_total", name)) === count,
        30_000,
      );
    const openGate = () => containers.exec(id, ["touch", "/tmp/go"]);
    await killsAre(0);
    await openGate();
    await killsAre(1);
    await containers.get(id).restart({ t: 0 });
    await killsAre(1);
    await openGate();
    await killsAre(2);
  },
  120_000,
);

testWith(
  ["docker", "busybox"],
  "a container that has ended tells how, and how often it was started again",
  async () => {
    const { name } = await containers.run({
      argv: ["sh", "-c", "exit 7"],
      host: { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 2 } },
    });
    const own = async (family: string) =>
      (await scrape()).find((one) => one.name === family && one.labels.container === name)?.value;
    await waitFor("both restarts", async () => (await own("pidward_container_restarts_total")) === 2, 30_000);
    await waitFor("its end", async () => (await own("pidward_container_last_exit_code")) === 7);
    expect(await own("pidward_container_oom_killed")).toBe(0);
    // It has no cgroup any more.
    await waitFor("no cgroup", async () => (await seriesOf("container_last_seen", name)).length === 0);
    const hog = await containers.run({
      argv: ["sh", "-c", "sleep 2; exec dd if=/dev/zero of=/dev/null bs=200M count=1"],
      host: { Memory: 16 << 20, MemorySwap: 16 << 20 },
    });
    await outOfMemory(containers.get(hog.id));
    await waitFor("the engine's word", async () =>
      (await scrape()).some(
        (one) =>
          one.name === "pidward_container_oom_killed" && one.labels.container === hog.name && one.value === 1,
      ),
    );
  },
  180_000,
);

testWith(
  ["docker", "busybox"],
  "a paused container is still there; a removed one ends with the next scrape",
  async () => {
    const { name, id } = await containers.run({ argv: ["sleep", "100000"] });
    await waitFor("it", async () => (await figureOf("container_memory_usage_bytes", name)) !== undefined);
    await containers.get(id).pause();
    await waitFor("the pause", async () =>
      (await scrape()).some(
        (one) =>
          one.name === "pidward_container_state" &&
          one.labels.container === name &&
          one.labels.state === "paused" &&
          one.value === 1,
      ),
    );
    expect(await figureOf("container_memory_usage_bytes", name)).toBeGreaterThan(0);
    await containers.get(id).unpause();
    await containers.get(id).remove({ force: true });
    await waitFor("its end", async () => !(await agent.get("/metrics")).text.includes(id));
  },
);

testWith(
  ["docker", "busybox"],
  "what dashboards ask for is there, and layers are measured",
  async () => {
    // What is measured is kept for minutes: there is a cgroup only when all is written.
    const writer = await containers.run({
      argv: [
        "sh",
        "-c",
        "[ -e /tmp/x ] || { dd if=/dev/zero of=/tmp/x bs=1M count=3; exit; }; exec sleep 100000",
      ],
    });
    const own = containers.get(writer.id);
    await waitFor("all to be written", async () => !(await own.inspect()).State.Running);
    await waitFor("no cgroup", async () => (await seriesOf("container_last_seen", writer.name)).length === 0);
    await own.start();
    await idOf(writer);
    const series = await scrape();
    const has = (family: string, fits: (labels: Series["labels"]) => boolean): boolean =>
      series.some(({ name, labels }) => name === family && fits(labels));
    expect(has("container_memory_working_set_bytes", ({ name }) => /^.+$/.test(name ?? ""))).toBe(true);
    expect(has("container_cpu_usage_seconds_total", ({ image }) => (image ?? "") !== "")).toBe(true);
    expect(has("container_memory_rss", ({ id }) => /^\/docker\/.*$|docker-/.test(id ?? ""))).toBe(true);
    expect(has("container_memory_usage_bytes", ({ id, name }) => id === "/" && name === undefined)).toBe(
      true,
    );
    expect(has("machine_memory_bytes", () => true)).toBe(true);
    expect(has("cadvisor_version_info", ({ dockerVersion }) => (dockerVersion ?? "") !== "")).toBe(true);
    await waitFor(
      "its layer",
      async () => ((await figureOf("container_fs_usage_bytes", writer.name)) ?? 0) >= 3 << 20,
      60_000,
    );
    const [limit] = await seriesOf("container_fs_limit_bytes", writer.name);
    expect(limit?.value).toBeGreaterThan(3 << 20);
  },
  120_000,
);

/** What promtool says of names that are cAdvisor's own. */
const theirs = [
  /^cadvisor_version_info label names should be written in 'snake_case'/,
  /^container_cpu_load_d_average_10s metric names should not contain abbreviated units$/,
  /^container_fs_inodes_total non-counter metrics should not have "_total" suffix$/,
  /^container_memory_failcnt counter metrics should have "_total" suffix$/,
  /^machine_dimm_count non-histogram and non-summary metrics should not have "_count" suffix$/,
];

testWith(
  ["promtool"],
  "promtool has nothing to say of the expositions but of cAdvisor's own names",
  async () => {
    for (const name of ["container-v1", "container-v1-degraded", "container-v2", "container-v2-degraded"]) {
      const input = readFileSync(path.join(__dirname, `../golden/${name}.prom`), "utf8");
      const { stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input, encoding: "utf8" });
      const said = `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
      expect(said.filter((line) => !theirs.some((one) => one.test(line)))).toEqual([]);
    }
  },
);
