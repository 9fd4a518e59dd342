import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  parseBlkio,
  parseCpuMax,
  parseFlatKeyed,
  parseIoStat,
  parseSingle,
} from "../../agent/source/cgroupfs/cgroup-files.ts";
import { createCgroupTexts } from "../../agent/source/cgroupfs/cgroup-texts.ts";
import { detectCgroups } from "../../agent/source/cgroupfs/layout.ts";
import { type CgroupPaths, readResources } from "../../agent/source/cgroupfs/resources.ts";

const captured = path.join(__dirname, "../fixtures/cgroupfs");
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

const nowhere: CgroupPaths = { unified: undefined, byController: new Map() };

test("a container's figures on v2 are those of its files", () => {
  write("cgroup.controllers", "cpu io memory pids\n");
  const folder = "system.slice/docker-x.scope";
  for (const name of readdirSync(captured))
    write(`${folder}/${name}`, readFileSync(path.join(captured, name), "utf8"));
  const layout = detectCgroups(sys);
  expect(layout.version).toBe("v2");
  expect(readResources(layout, { ...nowhere, unified: `/${folder}` }, 100)).toEqual({
    cpuSeconds: { user: 151.216934, system: 22.411049 },
    cpuSecondsTotal: 173.627984,
    throttledSeconds: 0,
    cpuLimitCores: null,
    memoryBytes: 2146304,
    memoryWorkingSetBytes: 2146304 - 303104,
    memoryLimitBytes: null,
    pids: 2,
    pidsLimit: 3474,
    readBytes: 1683456,
    writtenBytes: 0,
  });
});

test("a container's figures on v1 come from each controller's own path", () => {
  write("cpuacct/a/cpuacct.usage", "2500000000\n");
  write("cpuacct/a/cpuacct.stat", "user 150\nsystem 90\n");
  write("cpu/b/cpu.stat", "nr_periods 9\nnr_throttled 3\nthrottled_time 500000000\n");
  write("cpu/b/cpu.cfs_quota_us", "50000\n");
  write("cpu/b/cpu.cfs_period_us", "100000\n");
  write("memory/c/memory.usage_in_bytes", "1000000\n");
  write("memory/c/memory.limit_in_bytes", "9223372036854771712\n");
  write("memory/c/memory.stat", "inactive_file 1\ntotal_inactive_file 400000\n");
  write("pids/d/pids.current", "7\n");
  write("pids/d/pids.max", "max\n");
  write(
    "blkio/e/blkio.throttle.io_service_bytes",
    "8:0 Read 10\n8:0 Write 20\n8:16 Read 5\n8:0 Total 30\nTotal 35\n",
  );
  const byController = new Map([
    ["cpuacct", "/a"],
    ["cpu", "/b"],
    ["memory", "/c"],
    ["pids", "/d"],
    ["blkio", "/e"],
  ]);
  const layout = detectCgroups(sys);
  expect(layout.version).toBe("v1");
  expect(readResources(layout, { unified: undefined, byController }, 100)).toEqual({
    cpuSeconds: { user: 1.5, system: 0.9 },
    cpuSecondsTotal: 2.5,
    throttledSeconds: 0.5,
    cpuLimitCores: 0.5,
    memoryBytes: 1000000,
    memoryWorkingSetBytes: 600000,
    memoryLimitBytes: null,
    pids: 7,
    pidsLimit: null,
    readBytes: 15,
    writtenBytes: 20,
  });
});

test("a path that leads above the mount, or to nothing, gives no figures", () => {
  write("cgroup.controllers", "memory\n");
  writeFileSync(path.join(sys, "memory.current"), "1\n");
  const layout = detectCgroups(sys);
  for (const unified of ["/../..", "/../../x", "/gone"]) {
    expect(readResources(layout, { ...nowhere, unified }, 100)).toMatchObject({
      memoryBytes: null,
      pids: null,
    });
  }
});

test("a host of both kinds, and one without cgroups, are told apart", () => {
  expect(detectCgroups(sys).version).toBe("none");
  expect(readResources(detectCgroups(sys), nowhere, 100)).toBeNull();
  write("memory/x", "");
  write("unified/cgroup.controllers", "");
  expect(detectCgroups(sys).version).toBe("hybrid");
});

test("the files' forms are read as the kernel writes them", () => {
  expect(parseSingle("max\n")).toBeUndefined();
  expect(parseSingle("12\n")).toBe(12);
  expect(parseCpuMax("max 100000\n")).toBeUndefined();
  expect(parseCpuMax("150000 100000\n")).toBe(1.5);
  expect(parseFlatKeyed("a 1\nb.c 2\nbroken\n")).toEqual(
    new Map([
      ["a", 1],
      ["b.c", 2],
    ]),
  );
  expect(parseIoStat("8:0 rbytes=1 wbytes=2\n8:16 rbytes=10 wbytes=20 rios=1\n")).toEqual({
    readBytes: 11,
    writtenBytes: 22,
  });
  expect(parseBlkio("")).toEqual({ readBytes: 0, writtenBytes: 0 });
});

test("of flat keyed files each whole line with a key and a number counts, and no other", () => {
  const word = fc.constantFrom(
    "a",
    "b.c",
    "d_e",
    "",
    "f-g",
    "10",
    "max",
    "0012",
    "18446744073709551615",
    "-1",
  );
  const line = fc.array(word, { maxLength: 4 }).map((words) => words.join(" "));
  fc.assert(
    fc.property(fc.array(line), fc.boolean(), (lines, endsWhole) => {
      const wanted = new Map<string, number>();
      for (const one of lines) {
        const [, key = "", value] = /^([\w.]+) (\d+)$/.exec(one) ?? [];
        if (value !== undefined) wanted.set(key, Number(value));
      }
      expect(parseFlatKeyed(lines.join("\n") + (endsWhole ? "\n" : ""))).toEqual(wanted);
    }),
  );
});

test("any text gives an answer", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseFlatKeyed(text);
      parseSingle(text);
      parseCpuMax(text);
      parseIoStat(text);
      parseBlkio(text);
    }),
  );
});

describe("texts of cgroups by their ids", () => {
  const folder = (name: string): { path: string; id: number } => {
    const full = path.join(sys, "fs/cgroup", name);
    mkdirSync(full, { recursive: true });
    return { path: full, id: statSync(full).ino };
  };

  test("a text is learnt for the cgroup whose folder has the id, and for no other", () => {
    const root = folder("memory");
    const own = folder("memory/docker/a");
    const texts = createCgroupTexts(detectCgroups(sys));
    const text = "4:memory:/docker/a\n1:cpu:/docker/a\n0::/\n";
    expect(texts.learn(1, own.id, text)).toBe(true);
    // What the kernel says of a process that is ending.
    expect(texts.learn(1, own.id, "4:memory:/\n1:cpu:/\n0::/\n")).toBe(false);
    expect(texts.find(1, own.id)).toBe(text);
    expect(texts.learn(1, root.id, "4:memory:/\n1:cpu:/\n0::/\n")).toBe(true);
    // Shown above the root of the agent's own cgroup namespace: taken as it is.
    expect(texts.learn(1, 77, "4:memory:/../b\n0::/\n")).toBe(true);
  });

  test("what nobody has told is found by walking the folders", () => {
    folder("memory");
    const own = folder("memory/docker/a");
    const texts = createCgroupTexts(detectCgroups(sys));
    expect(texts.find(1, own.id)).toBe("1:memory:/docker/a\n");
    expect(texts.find(1, own.id + 12_345)).toBeUndefined();
  });

  test("a cgroup made since the last walk is found in the next round, and only one walk is made in each", () => {
    folder("memory");
    const texts = createCgroupTexts(detectCgroups(sys));
    expect(texts.find(1, 12_345)).toBeUndefined();
    const late = folder("memory/docker/late");
    expect(texts.find(1, late.id)).toBeUndefined();
    texts.beginRound();
    expect(texts.find(1, late.id)).toBe("1:memory:/docker/late\n");
  });

  test("on a v2 host the line without controllers is the one", () => {
    write("cgroup.controllers", "memory\n");
    const own = folder("system.slice/docker-b.scope");
    const texts = createCgroupTexts(detectCgroups(sys));
    expect(texts.learn(own.id, 0, "0::/system.slice/docker-b.scope\n")).toBe(true);
    expect(texts.learn(own.id, 0, "0::/\n")).toBe(false);
  });
});
