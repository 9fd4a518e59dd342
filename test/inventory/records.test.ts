import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { listContainers } from "../../agent/inventory/container-records.ts";
import { listProcesses } from "../../agent/inventory/process-list.ts";
import { matchesGlob } from "../../agent/inventory/programs.ts";
import { createCpuSampler } from "../../agent/inventory/usage.ts";
import { createUserNames, parsePasswd } from "../../agent/inventory/users.ts";
import { makeContainer, makeSnapshot } from "./table.ts";

const context = {
  units: { bootSeconds: 1_700_000_000, ticksPerSecond: 100, pageBytes: 4096 },
  users: { nameOf: (id: number) => (id === 33 ? "www-data" : undefined) },
  showCommand: (argv: readonly string[]) => argv,
};

const snapshot = makeSnapshot(
  [
    { pid: 1, parentPid: 0, name: "systemd", residentBytes: 500 },
    { pid: 40, name: "init", container: "web", containerPid: 1, residentBytes: 100 },
    {
      pid: 42,
      parentPid: 40,
      name: "nginx",
      container: "web",
      containerPid: 7,
      userId: 33,
      residentBytes: 300,
    },
    {
      pid: 43,
      parentPid: 42,
      name: "nginx",
      container: "web",
      state: "Z",
      openFiles: Number.NaN,
      residentBytes: 0,
    },
  ],
  [makeContainer("web", { initPid: 40 }), makeContainer("old", { state: "exited" })],
);

const pids = (query: Parameters<typeof listProcesses>[0]): readonly number[] =>
  listProcesses(query, snapshot, context).processes.map((one) => one.pid);

test("a process has all fields of the API", () => {
  expect(listProcesses({ selector: "42" }, snapshot, context).processes[0]).toEqual({
    ref: "42@420",
    pid: 42,
    startTicks: 420,
    startedAt: "2023-11-14T22:13:24.200Z",
    parentPid: 40,
    containerPid: 7,
    name: "nginx",
    command: ["nginx"],
    state: "sleeping",
    user: { id: 33, name: "www-data" },
    container: { id: "web", name: "web", image: "shop/web:3", runtime: "docker" },
    program: "nginx",
    cpuSeconds: { user: 0, system: 0 },
    cpuCores: null,
    residentBytes: 300,
    virtualBytes: 8192,
    swapBytes: 0,
    threads: 1,
    openFiles: 3,
    openFilesLimit: 1024,
    readBytes: 0,
    writtenBytes: 0,
  });
});

test("each field of the query narrows the list", () => {
  expect(pids({})).toEqual([1, 40, 42, 43]);
  expect(pids({ container: "web" })).toEqual([40, 42, 43]);
  expect(pids({ program: "nginx", state: "zombie" })).toEqual([43]);
  expect(pids({ user: "www-data" })).toEqual([42]);
  expect(pids({ user: "33" })).toEqual([42]);
  expect(pids({ name: "init" })).toEqual([40]);
  expect(pids({ selector: "web/nginx", container: "old" })).toEqual([]);
});

test("figures descend, names ascend, what is not known comes last, and the limit cuts after that", () => {
  expect(pids({ sort: "rss" })).toEqual([1, 42, 40, 43]);
  expect(pids({ sort: "rss", order: "asc", limit: 2 })).toEqual([43, 40]);
  expect(pids({ sort: "name" })).toEqual([40, 42, 43, 1]);
  expect(pids({ sort: "open-files" }).at(-1)).toBe(43);
  expect(pids({ sort: "open-files", order: "asc" }).at(-1)).toBe(43);
  expect(listProcesses({ limit: 1 }, snapshot, context)).toMatchObject({ total: 4 });
});

test("containers have their programs; one that does not run has no figures", () => {
  const { containers, total } = listContainers(snapshot, () => null);
  expect(total).toBe(2);
  expect(containers.map((one) => [one.name, one.processes, one.zombies])).toEqual([
    ["old", 0, 0],
    ["web", 3, 1],
  ]);
  expect(containers[1]?.programs.map((one) => [one.name, one.processes])).toEqual([
    ["init", 1],
    ["nginx", 2],
  ]);
});

test("user names come from the host's file, and its changes are seen", () => {
  const rootfs = mkdtempSync(path.join(os.tmpdir(), "pidward-rootfs-"));
  let now = 0;
  const users = createUserNames(rootfs, () => now);
  expect(users.nameOf(33)).toBeUndefined();
  mkdirSync(path.join(rootfs, "etc"));
  writeFileSync(
    path.join(rootfs, "etc/passwd"),
    "root:x:0:0::/:\nwww-data:x:33:33::/:\nother:x:33:1::/:\nbroken\n",
  );
  now = 20_000;
  expect([users.nameOf(0), users.nameOf(33), users.nameOf(34)]).toEqual(["root", "www-data", undefined]);
  rmSync(rootfs, { recursive: true });
  expect(parsePasswd("a:x:-1:0\nb:x:y:0\n:x:5:0\n").size).toBe(0);
});

test("a pattern stands for any characters at its stars, and nothing else is special", () => {
  expect(matchesGlob("python3 w.py --queue=mail -v", "*--queue=mail*")).toBe(true);
  expect(matchesGlob("python3", "python")).toBe(false);
  expect(matchesGlob("a.b", "a?b")).toBe(false);
  expect(matchesGlob("", "*")).toBe(true);
  const plain = fc.string().map((text) => text.replaceAll("*", ""));
  fc.assert(
    fc.property(fc.array(plain, { minLength: 1 }), fc.array(plain, { minLength: 1 }), (parts, filling) => {
      const text = parts
        .map((part, index) => part + (index < parts.length - 1 ? filling.join("") : ""))
        .join("");
      expect(matchesGlob(text, parts.join("*"))).toBe(true);
    }),
  );
  expect(matchesGlob("a".repeat(20_000), `${"*a".repeat(50)}b`)).toBe(false);
});

test("the share of CPU at this moment is sampled, and a process that is gone has none", async () => {
  const sampler = createCpuSampler("/proc");
  expect(await sampler.sample(process.pid)).toBeGreaterThanOrEqual(0);
  expect(await sampler.sample(999_999_999)).toBeUndefined();
  expect(await createCpuSampler("/host/proc").sample(process.pid)).toBeUndefined();
});
