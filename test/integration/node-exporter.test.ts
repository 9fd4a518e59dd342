import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect } from "@jest/globals";
import { listNodeCollectors } from "../../agent/metrics/compat/node/collectors.ts";
import { makeSnapshot } from "../inventory/table.ts";
import { fixtureHost, fixtureRoots, renderNode } from "../metrics/compat/node/fixture-host.ts";
import { parseExposition } from "../metrics/parse-exposition.ts";
import { TestAgent } from "../support/agent.ts";
import { compareExpositions } from "../support/compare-expositions.ts";
import { foreignStyle } from "../support/foreign-style.ts";
import { freePort } from "../support/free-port.ts";
import { hasParts } from "../support/parts.ts";
import { noteStarted } from "../support/started.ts";
import { testWith } from "../support/test-with.ts";
import { waitFor } from "../support/wait-for.ts";

const collectors = listNodeCollectors(fixtureHost("healthy")).map(({ name }) => name);

/** What Debian has changed of node_exporter's defaults, and what later releases have: pidward has the latter. */
const defaults = [
  "--collector.netdev.device-exclude=^$",
  "--collector.diskstats.device-exclude=^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$",
  "--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
  "--collector.netstat.fields=^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$",
];

/** Debian's node_exporter on a port of its own. */
class NodeExporter {
  private child: ChildProcess | undefined;
  private url = "";

  async start(names: readonly string[], args: readonly string[] = []): Promise<void> {
    const port = await freePort();
    const child = spawn(
      "prometheus-node-exporter",
      [
        "--collector.disable-defaults",
        ...names.map((name) => `--collector.${name}`),
        ...defaults,
        "--web.disable-exporter-metrics",
        `--web.listen-address=127.0.0.1:${port}`,
        ...args,
      ],
      { stdio: "ignore" },
    );
    noteStarted(child.pid ?? -1);
    this.child = child;
    this.url = `http://127.0.0.1:${port}/metrics`;
    await waitFor("node_exporter", () =>
      fetch(this.url).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  }

  async scrape(): Promise<string> {
    return await (await fetch(this.url)).text();
  }

  async stop(): Promise<void> {
    if (this.child === undefined) return;
    const ended = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await ended;
  }
}

const agent = new TestAgent();
const other = new NodeExporter();
beforeAll(async () => {
  await agent.start({ args: ["--scan.interval=200ms", "--metrics.families=node"] });
  if (hasParts("nodeExporter")) await other.start(collectors);
});
afterAll(async () => {
  await agent.remove();
  await other.stop();
});

async function scrapeOwn(): Promise<string> {
  return (await agent.get("/metrics/node")).text;
}

/** A scrape whose figures are of later than now. */
async function scrapeLater(): Promise<string> {
  const from = Date.now() / 1000;
  return await waitFor("a later scan", async () => {
    const text = await scrapeOwn();
    const taken = parseExposition(text).find(({ name }) => name === "node_time_seconds")?.value ?? 0;
    return taken > from && text;
  });
}

testWith(
  ["nodeExporter"],
  "side by side on this host, pidward says what node_exporter says",
  async () => {
    const round = async (): Promise<ReadonlyMap<string, string>> => {
      const before = await scrapeOwn();
      const theirs = await other.scrape();
      return compareExpositions(before, theirs, await scrapeLater());
    };
    // What differs for a moment only, as the host changes between the scrapes, is not the same in each round.
    let left = await round();
    for (let rounds = 1; rounds < 20 && left.size > 0; rounds++) {
      const again = await round();
      left = new Map([...left].filter(([what]) => again.has(what)));
    }
    expect(Object.fromEntries(left)).toEqual({});
  },
  120_000,
);

testWith(
  ["promtool"],
  "promtool finds nothing but node_exporter's style in the golden expositions",
  async () => {
    for (const name of ["node-healthy.prom", "node-degraded.prom"]) {
      const text = readFileSync(path.join(__dirname, "../golden", name), "utf8");
      const check = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
      const lines = `${check.stdout}${check.stderr}`.split("\n");
      expect(lines.filter((line) => line !== "" && !foreignStyle.test(line))).toEqual([]);
    }
  },
);

testWith(
  ["nodeExporter"],
  "from one tree of files, with devices that this host has not, both make the same",
  async () => {
    const { proc, sys, rootfs } = fixtureRoots("healthy");
    // The others ask the kernel itself, or the processes of this host.
    const names = collectors.filter(
      (name) => !["filesystem", "processes", "time", "timex", "uname"].includes(name),
    );
    const fromFiles = new NodeExporter();
    await fromFiles.start(names, [
      `--path.procfs=${proc}`,
      `--path.sysfs=${sys}`,
      `--path.rootfs=${rootfs}`,
      `--path.udev.data=${rootfs}/run/udev/data`,
      "--no-collector.netdev.netlink",
    ]);
    try {
      const own = await renderNode(fixtureHost("healthy"), makeSnapshot([{ pid: 1 }]));
      const ofBoth = own
        .split("\n")
        .filter((line) => !/^(# \w+ )?node_(filesystem|processes|time|timex|uname)_/.test(line))
        // It comes by netlink there, which knows this host only.
        .filter((line) => !line.includes("node_network_receive_nohandler_total"))
        .filter((line) => !/collector="(filesystem|processes|time|timex|uname)"/.test(line))
        .join("\n");
      expect(Object.fromEntries(compareExpositions(ofBoth, await fromFiles.scrape(), ofBoth))).toEqual({});
    } finally {
      await fromFiles.stop();
    }
  },
);

testWith(
  ["python"],
  "a mount whose server is away is marked, stops nobody, and is measured when it answers",
  async () => {
    const own = new TestAgent();
    const folder = path.join(own.folder, "share");
    const sign = path.join(own.folder, "answer");
    mkdirSync(folder);
    const wrapper = ["python3", path.join(__dirname, "../support/stuck-mount.py"), folder, sign];
    /** What one scrape has of a mount, once it is marked so: on a busy machine any may be taken for dead for a moment. */
    const measured = (mountpoint: string, error: 0 | 1) =>
      waitFor(`${mountpoint} with error ${error}`, async () => {
        const series = parseExposition((await own.get("/metrics/node")).text).filter(
          ({ labels }) => labels.mountpoint === mountpoint,
        );
        const of = (name: string): number | undefined =>
          series.find((one) => one.name === `node_filesystem_${name}`)?.value;
        return of("device_error") === error && { size: of("size_bytes"), available: of("avail_bytes") };
      });
    try {
      await own.start({
        wrapper,
        args: ["--scan.interval=200ms", "--source=procfs", "--events.source=snapshot"],
      });
      expect(await measured(folder, 1)).toEqual({ size: undefined, available: undefined });
      expect((await measured("/", 0)).size).toBeGreaterThan(0);
      expect((await own.get("/healthz")).status).toBe(200);
      writeFileSync(sign, "");
      expect(await measured(folder, 0)).toEqual({ size: 4_096_000, available: 500 * 4096 });
    } finally {
      await own.remove();
    }
  },
);
