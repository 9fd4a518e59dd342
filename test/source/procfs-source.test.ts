import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { readKernelUnits } from "../../agent/source/procfs/kernel-units.ts";
import { createProcfsSource } from "../../agent/source/procfs/procfs-source.ts";
import { processSourceContract } from "./process-source-contract.ts";

processSourceContract("procfs", () =>
  createProcfsSource({ root: "/proc", units: readKernelUnits("/proc", Date.now()) }),
);

/** A process of the fixture tree; the rest of its files are those of a sleeping process. */
interface Fixture {
  readonly comm?: string | Buffer;
  readonly state?: string;
  readonly flags?: number;
  readonly startTicks?: number;
  readonly command?: string;
  readonly cgroup?: string;
  readonly nspid?: string;
  /** Files that vanish before they are read. */
  readonly without?: readonly string[];
}

describe("a tree in the place of /proc", () => {
  const units = { bootSeconds: 1_700_000_000, ticksPerSecond: 100, pageBytes: 4096 };
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(path.join(os.tmpdir(), "pidward-proc-"));
    for (const other of ["sys", "self", "thread-self", "123x"]) mkdirSync(path.join(root, other));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function put(pid: number, fixture: Fixture = {}): void {
    const folder = path.join(root, String(pid));
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(path.join(folder, "fd"), { recursive: true });
    for (const fd of [0, 1, 2]) writeFileSync(path.join(folder, "fd", String(fd)), "");
    const { state = "S", flags = 0, startTicks = 500 } = fixture;
    const numbers = `1 1 1 0 -1 ${flags} 10 0 2 0 150 50 0 0 20 0 3 0 ${startTicks} 8192 4 0 0`;
    const files: Record<string, string | Buffer> = {
      stat: Buffer.concat([
        Buffer.from(`${pid} (`),
        Buffer.from(fixture.comm ?? "web"),
        Buffer.from(`) ${state} ${numbers}\n`),
      ]),
      status: `Uid:\t0\t33\t0\t0\nNSpid:\t${fixture.nspid ?? pid}\nVmSwap:\t 4 kB\nvoluntary_ctxt_switches:\t9\nnonvoluntary_ctxt_switches:\t8\n`,
      io: "read_bytes: 20\nwrite_bytes: 30\n",
      cmdline: fixture.command ?? "web\0-x\0",
      cgroup: fixture.cgroup ?? "0::/\n",
      limits: "Max open files            1024                 4096                 files\n",
    };
    for (const [name, content] of Object.entries(files)) {
      if (fixture.without?.includes(name) !== true) writeFileSync(path.join(folder, name), content);
    }
  }

  const source = () => createProcfsSource({ root, units });

  test("only processes are read, each with every field", async () => {
    put(4242, { nspid: "4242\t30\t7" });
    const { table, problems } = await source().scan();
    expect(problems).toEqual([]);
    const row = Object.fromEntries(
      Object.entries(table).map(([name, column]) => [name, typeof column === "number" ? column : column[0]]),
    );
    expect(row).toEqual({
      length: 1,
      pid: 4242,
      startTicks: 500,
      parentPid: 1,
      containerPid: 7,
      state: "S".charCodeAt(0),
      flags: 0,
      userId: 33,
      threads: 3,
      userSeconds: 1.5,
      systemSeconds: 0.5,
      residentBytes: 16384,
      virtualBytes: 8192,
      swapBytes: 4096,
      minorFaults: 10,
      majorFaults: 2,
      voluntarySwitches: 9,
      involuntarySwitches: 8,
      readBytes: 20,
      writtenBytes: 30,
      openFiles: 3,
      openFilesLimit: 1024,
      name: "web",
      command: ["web", "-x"],
      cgroup: "0::/\n",
    });
  });

  test.each([") R 1 (", "a b", "new\nline", "(sd-pam)", ""])(
    "the name %j changes no other field",
    async (comm) => {
      put(7, { comm });
      const { table } = await source().scan();
      expect([table.name[0], table.startTicks[0], table.parentPid[0]]).toEqual([comm, 500, 1]);
    },
  );

  test("a name that is no UTF-8 is shown with replacement characters", async () => {
    put(7, { comm: Buffer.from([0x61, 0xff, 0xfe]) });
    expect((await source().scan()).table.name[0]).toBe("a\ufffd\ufffd");
  });

  test("a process that vanishes between two reads is no problem", async () => {
    put(7, { without: ["status", "io", "cmdline", "cgroup", "limits"] });
    put(8, { without: ["stat"] });
    const { table, problems } = await source().scan();
    expect([...table.pid]).toEqual([7]);
    expect(problems).toEqual([]);
    expect([table.userId[0], table.readBytes[0], table.openFilesLimit[0]]).toEqual([NaN, NaN, NaN]);
    expect(table.containerPid[0]).toBe(-1);
    expect(table.command[0]).toBeNull();
  });

  test("what is no stat line is a problem, counted once for its kind and place", async () => {
    put(7);
    put(8);
    for (const pid of [7, 8]) writeFileSync(path.join(root, String(pid), "stat"), "nonsense");
    const { table, problems } = await source().scan();
    expect(table.length).toBe(0);
    expect(problems).toEqual([
      expect.objectContaining({ kind: "malformed", where: "/proc/PID/stat", count: 2 }),
    ]);
  });

  test("a file that cannot be read is a problem, and the process stays", async () => {
    put(7, { without: ["io"] });
    mkdirSync(path.join(root, "7/io"));
    const { table, problems } = await source().scan();
    expect(table.readBytes[0]).toBeNaN();
    expect(problems).toEqual([
      expect.objectContaining({ kind: "unreadable", where: "/proc/PID/io", count: 1 }),
    ]);
  });

  test("kernel threads and zombies have no command, and a zombie no open files", async () => {
    put(2, { flags: 0x00200000, command: "" });
    put(7, { state: "Z" });
    const { table } = await source().scan();
    expect(table.command).toEqual([[], []]);
    expect([...table.openFiles]).toEqual([0, 0]);
  });

  test("a reused PID is a new process: nothing of the old one is kept", async () => {
    const one = source();
    put(7, { startTicks: 500, command: "old\0", cgroup: "0::/old\n", nspid: "7\t3" });
    await one.scan();
    put(7, { startTicks: 900, command: "new\0", cgroup: "0::/new\n", nspid: "7\t4" });
    const { table } = await one.scan();
    expect([table.startTicks[0], table.command[0], table.cgroup[0], table.containerPid[0]]).toEqual([
      900,
      ["new"],
      "0::/new\n",
      4,
    ]);
  });

  test("what hardly changes is read again at the second look, at a new name, and after a while", async () => {
    const one = source();
    const cgroups: string[] = [];
    const scan = async (fixture: Fixture): Promise<void> => {
      put(7, fixture);
      cgroups.push((await one.scan()).table.cgroup[0] ?? "");
    };
    await scan({ cgroup: "first" });
    await scan({ cgroup: "second" });
    await scan({ cgroup: "third" });
    await scan({ cgroup: "fourth", comm: "renamed" });
    expect(cgroups).toEqual(["first", "second", "second", "fourth"]);
    for (let index = 0; index < 60; index++) await scan({ cgroup: "moved", comm: "renamed" });
    expect(cgroups.at(-1)).toBe("moved");
  });

  test("the command line of a process that hangs in the kernel is left for later", async () => {
    const one = source();
    put(7, { state: "D", command: "waits\0" });
    expect((await one.scan()).table.command[0]).toBeNull();
    put(7, { state: "S", command: "waits\0" });
    expect((await one.scan()).table.command[0]).toEqual(["waits"]);
  });

  test("a root that is no procfs is an error that names it", async () => {
    const missing = createProcfsSource.bind(undefined, { root: "/nowhere", units });
    expect(() => readKernelUnits("/nowhere", Date.now())).toThrow("/nowhere");
    expect(missing).toThrow("/nowhere");
  });

  test("what is not read again is the same object from scan to scan", async () => {
    const one = source();
    put(7);
    await one.scan();
    const second = (await one.scan()).table;
    const third = (await one.scan()).table;
    expect(third.command[0]).toBe(second.command[0]);
  });
});
