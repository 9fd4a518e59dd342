import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { insideId, parseIdMap } from "../../agent/source/procfs/id-map.ts";
import { parseIo } from "../../agent/source/procfs/io.ts";
import { parseAuxv, parseBootSeconds, parseUptimeSeconds } from "../../agent/source/procfs/kernel-units.ts";
import { openFilesLimit, parseLimits } from "../../agent/source/procfs/limits.ts";
import { parseStat } from "../../agent/source/procfs/stat.ts";
import { parseStatus } from "../../agent/source/procfs/status.ts";
import { parseStrings } from "../../agent/source/procfs/strings.ts";

/** Captured from a container's init on another host. */
const captured = (name: string): Buffer => readFileSync(path.join(__dirname, "../fixtures/procfs", name));

const anyBytes = fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes));

describe("stat", () => {
  const line = (comm: Buffer, numbers: readonly number[] = fields()): Buffer =>
    Buffer.concat([Buffer.from("4242 ("), comm, Buffer.from(`) S ${numbers.join(" ")}\n`)]);
  /** Fields 4 to 52, each its own number times 10, so that a shift shows. */
  function fields(): number[] {
    return Array.from({ length: 49 }, (_, index) => (index + 4) * 10);
  }

  test("a captured line is read", () => {
    const bytes = captured("stat");
    const stat = parseStat(bytes, bytes.length);
    expect(stat).toMatchObject({ parentPid: expect.any(Number), threads: 1 });
    expect(bytes.subarray(stat?.commFrom, stat?.commEnd).toString()).toBe(captured("comm").toString().trim());
  });

  test("each field is the one of the manual page", () => {
    const bytes = line(Buffer.from("nginx"));
    expect(parseStat(bytes, bytes.length)).toMatchObject({
      pid: 4242,
      state: "S".charCodeAt(0),
      parentPid: 40,
      flags: 90,
      minorFaults: 100,
      majorFaults: 120,
      userTicks: 140,
      systemTicks: 150,
      threads: 200,
      startTicks: 220,
      virtualBytes: 230,
      nice: 190,
      residentPages: 240,
    });
  });

  test("any name leaves the fields where they are", () => {
    const comm = fc.oneof(
      fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(") R 1 (", "a) S 1 2 3", "((()))", "\n", " ", "").map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(comm, (name) => {
        const bytes = line(name);
        const stat = parseStat(bytes, bytes.length);
        expect(stat).toMatchObject({ pid: 4242, parentPid: 40, startTicks: 220 });
        expect(bytes.subarray(stat?.commFrom, stat?.commEnd).equals(name)).toBe(true);
      }),
    );
  });

  test("what lies behind the length is not read", () => {
    const bytes = Buffer.concat([line(Buffer.from("a")), Buffer.from(") Z 1 1 1")]);
    expect(parseStat(bytes, line(Buffer.from("a")).length)).toMatchObject({ startTicks: 220 });
  });

  test("any bytes, and any cut line, give an answer or none", () => {
    fc.assert(fc.property(anyBytes, (bytes) => void parseStat(bytes, bytes.length)));
    const whole = line(Buffer.from("nginx"));
    const upToRss = whole.indexOf(" 240 ") + 2;
    for (let length = 0; length < upToRss; length++) expect(parseStat(whole, length)).toBeUndefined();
  });
});

describe("status", () => {
  test("a captured file is read", () => {
    const bytes = captured("status");
    const status = parseStatus(bytes, bytes.length);
    expect(status).toMatchObject({ userId: 0, groupId: 0, swapBytes: 0 });
    const switches = /^voluntary_ctxt_switches:\t(\d+)\nnonvoluntary_ctxt_switches:\t(\d+)$/m.exec(
      String(bytes),
    );
    expect([status.voluntarySwitches, status.involuntarySwitches]).toEqual(switches?.slice(1).map(Number));
  });

  test("each line is found, and the innermost PID is the last of several", () => {
    const text =
      "Name:\tUid:\\n\nUid:\t1\t33\t3\t4\nGid:\t1\t44\t3\t4\nGroups:\t4 33 \nNSpid:\t4242\t20\t7\nVmSwap:\t      12 kB\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t5\n";
    const bytes = Buffer.from(text);
    expect(parseStatus(bytes, bytes.length)).toEqual({
      userId: 33,
      groupId: 44,
      groups: [4, 33],
      innermostPid: 7,
      swapBytes: 12 * 1024,
      voluntarySwitches: 150,
      involuntarySwitches: 5,
    });
  });

  test("with one PID namespace there is no PID inside", () => {
    const bytes = Buffer.from("NSpid:\t4242\n");
    expect(parseStatus(bytes, bytes.length).innermostPid).toBe(0);
  });

  test("masks between the threads and the switches, and whatever stands behind those, are passed over", () => {
    const masks = "SigQ:\t1/2\nCpus_allowed:\t3\nvoluntary_ctxt_switches_of:\t9\nMems_allowed:\t1\n";
    const switches = "voluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t34\n";
    for (const [masksThere, behind] of [
      [masks, ""],
      ["", "x86_Thread_features:\t\nx86_Thread_features_locked:\t\n"],
      [masks, "x86_Thread_features:\tshstk"],
    ]) {
      const bytes = Buffer.from(`Uid:\t1\t2\t3\t4\nThreads:\t1\n${masksThere}${switches}${behind}`);
      expect(parseStatus(bytes, bytes.length)).toMatchObject({
        userId: 2,
        voluntarySwitches: 12,
        involuntarySwitches: 34,
      });
    }
    const without = Buffer.from("Uid:\t1\t2\t3\t4\nThreads:\t1\nSigQ:\t1/2\n");
    expect(parseStatus(without, without.length).voluntarySwitches).toBeNaN();
  });

  test("any bytes give an answer", () => {
    fc.assert(fc.property(anyBytes, (bytes) => void parseStatus(bytes, bytes.length)));
  });
});

describe("the others", () => {
  test("io gives what reached the storage, not what was asked for", () => {
    const bytes = captured("io");
    expect(parseIo(bytes, bytes.length)).toEqual({
      readBytes: expect.any(Number),
      writtenBytes: expect.any(Number),
    });
    const text = Buffer.from("rchar: 1\nread_bytes: 20\nwrite_bytes: 30\ncancelled_write_bytes: 4\n");
    expect(parseIo(text, text.length)).toEqual({ readBytes: 20, writtenBytes: 30 });
    expect(parseIo(text, 20)).toBeUndefined();
    fc.assert(fc.property(anyBytes, (any) => void parseIo(any, any.length)));
  });

  test("arguments are split at NUL, empty ones kept", () => {
    const strings = (text: string): readonly string[] =>
      parseStrings(Buffer.from(text), Buffer.byteLength(text));
    expect(strings("nginx\0-g\0daemon off;\0")).toEqual(["nginx", "-g", "daemon off;"]);
    expect(strings("a\0\0b\0")).toEqual(["a", "", "b"]);
    expect(strings("nginx: master process")).toEqual(["nginx: master process"]);
    expect(strings("")).toEqual([]);
    const argument = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\0", "x"));
    fc.assert(
      fc.property(fc.array(argument, { minLength: 1 }), (argv) => {
        expect(strings(`${argv.join("\0")}\0`)).toEqual(argv);
      }),
    );
  });

  test("limits are read with their units, and unlimited is no number", () => {
    const text = captured("limits").toString();
    const limits = parseLimits(text);
    expect(limits).toHaveLength(16);
    expect(limits.find((limit) => limit.name === "Max cpu time")).toEqual({
      name: "Max cpu time",
      soft: null,
      hard: null,
      unit: "seconds",
    });
    expect(openFilesLimit(text)).toBe(limits.find((limit) => limit.name === "Max open files")?.soft);
    expect(
      openFilesLimit("Max open files            unlimited            unlimited            files\n"),
    ).toBe(Infinity);
    expect(openFilesLimit("")).toBeNaN();
  });

  test("ids are mapped into a user namespace", () => {
    const map = parseIdMap("         0     100000      65536\n     70000         5          1\n");
    expect(insideId(100_033, map)).toBe(33);
    expect(insideId(5, map)).toBe(70_000);
    expect(insideId(6, map)).toBeUndefined();
    expect(insideId(165_536, map)).toBeUndefined();
  });

  test("page and tick come from the auxiliary vector, boot from stat", () => {
    const auxv = parseAuxv(readFileSync("/proc/self/auxv"));
    expect(auxv.get(17)).toBe(100);
    expect(auxv.get(6)).toBeGreaterThanOrEqual(4096);
    expect(parseBootSeconds("cpu 1 2\nbtime 1700000000\nprocesses 5\n")).toBe(1_700_000_000);
    expect(parseBootSeconds("")).toBeUndefined();
    expect(parseUptimeSeconds("350735.47 234388.90\n")).toBe(350_735.47);
    expect(parseUptimeSeconds("x")).toBeUndefined();
  });
});
