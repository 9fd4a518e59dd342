import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseMetricChoice } from "../../../../agent/metric-choice.ts";
import { listNodeCollectors } from "../../../../agent/metrics/compat/node/collectors.ts";
import type { Snapshot } from "../../../../agent/model.ts";
import { makeSnapshot } from "../../../inventory/table.ts";
import { expectGolden } from "../../expect-golden.ts";
import { parseExposition, type Series } from "../../parse-exposition.ts";
import { fixtureHost, renderNode } from "./fixture-host.ts";
import { MemoryFiles } from "./memory-files.ts";

const snapshot = (): Snapshot =>
  makeSnapshot([
    { pid: 1, parentPid: 0, name: "systemd" },
    { pid: 2, parentPid: 0, name: "kthreadd", state: "I" },
    { pid: 40, name: "sleeper" },
    { pid: 41, name: "burner", state: "R" },
    { pid: 4242, name: "a) R (b", state: "S", threads: 3 },
  ]);

async function seriesOf(files: MemoryFiles, name: string, facts = {}): Promise<readonly Series[]> {
  const text = await renderNode(fixtureHost("healthy", { files, ...facts }), snapshot());
  return parseExposition(text).filter((one) => one.name === name);
}

test("a healthy host is exposed as in the golden file", async () => {
  expectGolden("node-healthy.prom", await renderNode(fixtureHost("healthy"), snapshot()));
});

test("on a degraded host what is missing is left out, and what cannot be read fails alone", async () => {
  const failed: string[] = [];
  const host = fixtureHost("degraded", { readClock: undefined });
  expectGolden(
    "node-degraded.prom",
    await renderNode(host, snapshot(), (collector, error) => failed.push(`${collector}: ${String(error)}`)),
  );
  expect(failed).toEqual([
    expect.stringMatching(/^node\.diskstats: .*\/proc\/diskstats cannot be read: EISDIR$/),
  ]);
});

test("every collector can be switched by its name, in the order of the alphabet", () => {
  const names = listNodeCollectors(fixtureHost("healthy")).map(({ name }) => name);
  expect(names).toEqual([...(parseMetricChoice("node").get("node") ?? [])]);
  expect(names).toEqual([...names].sort());
});

test("any mount point comes back as it was", async () => {
  const name = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !/[\0/]/.test(text));
  await fc.assert(
    fc.asyncProperty(name, async (folder) => {
      const escaped = folder.replaceAll(
        /[ \t\n\\#]/g,
        (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`,
      );
      const files = new MemoryFiles({ "/proc/1/mounts": `/dev/a /srv/${escaped} ext4 rw 0 0\n` });
      const [series] = await seriesOf(files, "node_filesystem_size_bytes");
      expect(series?.labels.mountpoint).toBe(`/srv/${folder}`);
    }),
    { numRuns: 50 },
  );
});

test("a CPU's times never fall, unless it was off and begins anew", async () => {
  const files = new MemoryFiles({ "/proc/stat": "cpu0 100 0 0 5000 30 0 0 0 0 0\n" });
  const host = fixtureHost("healthy", { files });
  const cpu = listNodeCollectors(host).find(({ name }) => name === "cpu");
  const idle = async (text: string): Promise<readonly number[]> => {
    files.texts.set("/proc/stat", text);
    const found = (await cpu?.collect(snapshot())) ?? [];
    return (found[0]?.samples ?? []).slice(3, 5).map(({ value }) => value);
  };
  expect(await idle("cpu0 100 0 0 5000 30 0 0 0 0 0\n")).toEqual([50, 0.3]);
  expect(await idle("cpu0 100 0 0 4990 29 0 0 0 0 0\n")).toEqual([50, 0.3]);
  expect(await idle("cpu0 100 0 0 5010 31 0 0 0 0 0\n")).toEqual([50.1, 0.31]);
  expect(await idle("cpu0 1 0 0 20 1 0 0 0 0 0\n")).toEqual([0.2, 0.01]);
});

test("an interface is read in full when something about it has changed, or not for long", async () => {
  const attribute = (name: string): string => `/sys/class/net/eth0/${name}`;
  const files = new MemoryFiles({
    [attribute("operstate")]: "up\n",
    [attribute("carrier_changes")]: "2\n",
    [attribute("flags")]: "0x1003\n",
    [attribute("mtu")]: "1500\n",
    "/sys/class/net/bonding_masters": "\n",
  });
  let now = 0;
  const host = fixtureHost("healthy", { files, monotonicMs: () => now });
  const netclass = listNodeCollectors(host).find(({ name }) => name === "netclass");
  const mtu = async (): Promise<number | undefined> => {
    files.wasRead.length = 0;
    const found = (await netclass?.collect(snapshot())) ?? [];
    expect(found.find(({ family }) => family.name === "node_network_up")?.samples).toHaveLength(1);
    return found.find(({ family }) => family.name === "node_network_mtu_bytes")?.samples[0]?.value;
  };
  expect(await mtu()).toBe(1500);
  files.texts.set(attribute("mtu"), "9000\n");
  expect(await mtu()).toBe(1500);
  expect(files.wasRead.filter((file) => file.startsWith("/sys/class/net/eth0/"))).toHaveLength(3);
  files.texts.set(attribute("carrier_changes"), "3\n");
  expect(await mtu()).toBe(9000);
  files.texts.set(attribute("mtu"), "1400\n");
  now += 31_000;
  expect(await mtu()).toBe(1400);
});

test("a host without IPv6 has the figures of IPv4", async () => {
  const files = new MemoryFiles({
    "/proc/1/net/sockstat": "TCP: inuse 4 orphan 1 tw 4 alloc 17 mem 5\n",
    "/proc/1/net/snmp": "Udp: InErrors\nUdp: 3\n",
    "/proc/1/net/udp": "\n",
  });
  expect(await seriesOf(files, "node_sockstat_TCP_mem_bytes")).toMatchObject([{ value: 5 * 4096 }]);
  expect(await seriesOf(files, "node_netstat_Udp_InErrors")).toMatchObject([{ value: 3 }]);
  expect(await seriesOf(files, "node_udp_queues")).toHaveLength(2);
});
