import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  parseBlkioOperations,
  parseIoDevices,
  parsePerCpu,
  parsePressureAccount,
  toBlkioDevices,
} from "../../agent/source/cgroupfs/account-files.ts";
import { createAccounts } from "../../agent/source/cgroupfs/account-reader.ts";
import { createCgroupTree } from "../../agent/source/cgroupfs/cgroup-tree.ts";
import { detectCgroups } from "../../agent/source/cgroupfs/layout.ts";
import { parseBlockDevices } from "../../agent/source/machine/block-devices.ts";
import { mountOf, parseMounts } from "../../agent/source/machine/mounts.ts";
import { parseNetDevices } from "../../agent/source/machine/net-devices.ts";

let sys: string;
beforeEach(() => {
  sys = mkdtempSync(path.join(os.tmpdir(), "pidward-sys-"));
});
afterEach(() => rmSync(sys, { recursive: true }));

function write(file: string, text: string): void {
  const full = path.join(sys, "fs/cgroup", file);
  mkdirSync(path.dirname(full), { recursive: true });
  writeFileSync(full, text);
}

const accounts = () =>
  createAccounts({ layout: detectCgroups(sys), procRoot: path.join(sys, "proc"), ticksPerSecond: 100 });

describe("what the kernel's files say", () => {
  test("io.stat: a device without figures is none, and cost stands beside the rest", () => {
    const [disk, ...more] = parseIoDevices(
      "7:7 \n254:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=3 cost.usage=5\n",
    );
    expect(more).toEqual([]);
    expect(disk).toMatchObject({ device: "254:0", readBytes: 10, writtenBytes: 20, reads: 1, writes: 2 });
    expect([...(disk?.bytesByOperation ?? [])]).toEqual([
      ["Read", 10],
      ["Write", 20],
      ["Discard", 3],
    ]);
    expect([...(disk?.cost ?? [])]).toEqual([["usage", 5]]);
  });

  test("blkio: bytes and operations of one device come together", () => {
    const devices = toBlkioDevices(
      parseBlkioOperations("8:0 Read 10\n8:0 Total 10\nTotal 10\n"),
      parseBlkioOperations("8:0 Read 1\n8:16 Write 2\nTotal 3\n"),
    );
    expect(devices.map(({ device, readBytes, reads, writes }) => [device, readBytes, reads, writes])).toEqual(
      [
        ["8:0", 10, 1, Number.NaN],
        ["8:16", Number.NaN, Number.NaN, 2],
      ],
    );
  });

  test("pressure: a kernel without a line for full has no figure for it", () => {
    expect(parsePressureAccount("some avg10=11.59 avg60=10.32 avg300=6.97 total=31037319\n")).toEqual({
      someSeconds: 31.037319,
      fullSeconds: Number.NaN,
    });
  });

  test("net/dev: names with colons, and lines that are none", () => {
    const text = `Inter-|   Receive
 face |bytes
    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
eth0:1:21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36
  bad: 1 2
`;
    expect(parseNetDevices(text, (name) => name !== "lo")).toEqual([
      {
        name: "eth0:1",
        received: { bytes: 21, packets: 22, errors: 23, dropped: 24 },
        sent: { bytes: 29, packets: 30, errors: 31, dropped: 32 },
      },
    ]);
  });

  test("diskstats of old and new kernels", () => {
    const [disk] = parseBlockDevices(
      " 254       0 vda 10 1 80 2000 20 2 160 4000 3 5000 6000 1 2 3 4 5 6\n 8 0 sda 1 2\n",
    );
    expect(disk).toMatchObject({
      number: "254:0",
      name: "vda",
      reads: 10,
      readSeconds: 2,
      writes: 20,
      underWay: 3,
    });
    expect(parseBlockDevices("8 1 sda1 1 2 3 4 5 6 7 8 9 10 11\n")).toHaveLength(1);
  });

  test("a path is on the mount that is nearest above it, and on the last one there", () => {
    const mounts = parseMounts(
      `26 1 254:0 / / rw - ext4 /dev/vda rw
27 26 254:1 / /data rw shared:1 - xfs /dev/vdb rw
28 26 254:2 / /data rw - ext4 /dev/vdc rw
29 26 254:3 / /with\\040blank rw - ext4 /dev/vdd rw
nothing
`,
    );
    expect(mountOf("/data/x", mounts)?.source).toBe("/dev/vdc");
    expect(mountOf("/database", mounts)?.source).toBe("/dev/vda");
    expect(mountOf("/with blank/x", mounts)?.source).toBe("/dev/vdd");
  });

  test("any text gives an answer", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        parseIoDevices(text);
        parseBlkioOperations(text);
        parsePressureAccount(text);
        parsePerCpu(text);
        parseNetDevices(text, () => true);
        parseBlockDevices(text);
        parseMounts(text);
      }),
    );
  });
});

describe("accounts", () => {
  test("no limit is 0, and no quota is none, in both versions", () => {
    write("cpu/a/cpu.cfs_quota_us", "-1\n");
    write("cpu/a/cpu.cfs_period_us", "100000\n");
    write("memory/a/memory.limit_in_bytes", "9223372036854771712\n");
    write("memory/a/memory.soft_limit_in_bytes", "4096\n");
    expect(accounts().limits("/a")).toMatchObject({
      cpuQuotaMicros: Number.NaN,
      cpuPeriodMicros: 100_000,
      memoryBytes: 0,
      reservedBytes: 4096,
      swapBytes: Number.NaN,
    });
    write("cgroup.controllers", "");
    write("b/cpu.max", "max 100000\n");
    write("b/cpu.weight", "1\n");
    write("b/memory.max", "max\n");
    write("b/memory.low", "8192\n");
    write("b/memory.min", "0\n");
    expect(accounts().limits("/b")).toMatchObject({
      cpuQuotaMicros: Number.NaN,
      cpuShares: 2,
      memoryBytes: 0,
      reservedBytes: 8192,
    });
  });

  test("a path that leads above the mount, or to nothing, gives none", () => {
    write("memory/a/memory.stat", "total_rss 1\n");
    for (const gone of ["/../..", "/gone"]) {
      expect(accounts().stat(gone)).toBeUndefined();
      expect(accounts().memory(gone)).toBeUndefined();
      expect(accounts().cpu(gone)).toBeUndefined();
      expect(accounts().devices(gone)).toBeUndefined();
      expect(accounts().oomKills(gone)).toBeUndefined();
    }
  });
});

describe("the tree", () => {
  const list = (isMissing: boolean, now: () => number) => {
    const tree = createCgroupTree({
      layout: detectCgroups(sys),
      isContainer: (cgroup) => cgroup.startsWith("/docker/"),
      monotonicMs: now,
    });
    return tree.list(isMissing);
  };

  test("has what is in either hierarchy, those above before those below", async () => {
    write("memory/docker/c/inner/memory.stat", "");
    write("memory/only-memory/memory.stat", "");
    write("cpuacct/docker/c/x", "");
    write("cpuacct/only-cpu/x", "");
    expect(await list(false, () => 0)).toEqual([
      "/",
      "/docker",
      "/only-memory",
      "/only-cpu",
      "/docker/c",
      "/docker/c/inner",
    ]);
  });

  test("is walked again after a while, sooner when something is missed", async () => {
    write("cgroup.controllers", "");
    write("a/x", "");
    let now = 0;
    const tree = createCgroupTree({
      layout: detectCgroups(sys),
      isContainer: () => false,
      monotonicMs: () => now,
    });
    expect(await tree.list(false)).toEqual(["/", "/a"]);
    write("b/x", "");
    now = 2_000;
    expect(await tree.list(false)).toEqual(["/", "/a"]);
    expect(await tree.list(true)).toEqual(["/", "/a", "/b"]);
  });

  test("is bounded in what is no container's", async () => {
    write("cgroup.controllers", "");
    for (let index = 0; index < 2_100; index++) mkdirSync(path.join(sys, `fs/cgroup/u${index}`));
    for (let index = 0; index < 50; index++)
      mkdirSync(path.join(sys, `fs/cgroup/docker/${index}`), { recursive: true });
    const paths = await list(false, () => 0);
    const others = paths.filter((cgroup) => !cgroup.startsWith("/docker/"));
    expect(others).toHaveLength(2_000);
  });
});
