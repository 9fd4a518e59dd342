import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseArp } from "../../agent/source/host/arp.ts";
import { parseConntrack } from "../../agent/source/host/conntrack.ts";
import { parseDiskstats } from "../../agent/source/host/diskstats.ts";
import { parseNumber } from "../../agent/source/host/fields.ts";
import { parseFileNr } from "../../agent/source/host/file-nr.ts";
import { parseKernelStat } from "../../agent/source/host/kernel-stat.ts";
import { parseLoadavg } from "../../agent/source/host/loadavg.ts";
import { parseMeminfo } from "../../agent/source/host/meminfo.ts";
import { parseMounts } from "../../agent/source/host/mounts.ts";
import { parseNetCounters, parseNetCounters6 } from "../../agent/source/host/net-counters.ts";
import { parseNetDev } from "../../agent/source/host/net-dev.ts";
import { parseOsRelease } from "../../agent/source/host/os-release.ts";
import { parsePressure } from "../../agent/source/host/pressure.ts";
import { parseSchedstat } from "../../agent/source/host/schedstat.ts";
import { parseSockstat } from "../../agent/source/host/sockstat.ts";
import { parseSoftnet } from "../../agent/source/host/softnet.ts";
import { parseThreadState } from "../../agent/source/host/thread-states.ts";
import { zoneNameAt } from "../../agent/source/host/time-zone.ts";
import { parseTimex, timexBytes } from "../../agent/source/host/timex.ts";
import { parseUdevProperties } from "../../agent/source/host/udev.ts";
import { parseUdp } from "../../agent/source/host/udp.ts";
import { parseVmstat } from "../../agent/source/host/vmstat.ts";

const captured = (name: string): string =>
  readFileSync(path.join(__dirname, "../fixtures/host/healthy", name), "utf8");

const parsers: Readonly<Record<string, (text: string) => unknown>> = {
  parseArp,
  parseConntrack,
  parseDiskstats,
  parseNumber,
  parseFileNr,
  parseKernelStat,
  parseLoadavg,
  parseMeminfo,
  parseMounts,
  parseNetCounters: (text) => parseNetCounters(text, /./),
  parseNetCounters6: (text) => parseNetCounters6(text, /./),
  parseNetDev,
  parseOsRelease,
  parsePressure,
  parseSchedstat,
  parseSockstat,
  parseSoftnet,
  parseUdevProperties,
  parseUdp,
  parseVmstat: (text) => parseVmstat(text, /./),
};

const samples = [
  "proc/1/net/arp",
  "proc/1/net/dev",
  "proc/1/net/netstat",
  "proc/1/net/snmp6",
  "proc/1/net/sockstat",
  "proc/1/net/softnet_stat",
  "proc/1/net/stat/nf_conntrack",
  "proc/1/net/udp",
  "proc/1/mounts",
  "proc/diskstats",
  "proc/meminfo",
  "proc/pressure/io",
  "proc/schedstat",
  "proc/stat",
  "proc/vmstat",
  "root/etc/os-release",
].map(captured);

describe.each(Object.entries(parsers))("%s", (_, parse) => {
  test("any text gives an answer", () => {
    const anyText = fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes).toString("utf8"));
    const likely = fc.string({ unit: fc.constantFrom(..."cpu0 1:\n\t-=\"'\\E(kB)Ip6:_x") });
    fc.assert(fc.property(fc.oneof(anyText, likely), (text) => void parse(text)));
  });

  test("any file, cut anywhere or with any character in it, gives an answer", () => {
    const part = fc.record({
      text: fc.constantFrom(...samples),
      at: fc.nat(3000),
      extra: fc.string({ maxLength: 3 }),
      isCut: fc.boolean(),
    });
    fc.assert(
      fc.property(part, ({ text, at, extra, isCut }) => {
        parse(text.slice(0, at) + extra + (isCut ? "" : text.slice(at)));
      }),
    );
  });
});

describe("figures", () => {
  test("a CPU of an old kernel has fewer modes, and the sum of all is no CPU", () => {
    expect(parseKernelStat("cpu  1 2\ncpu3 1 2 3 4 5\nbtime 7\n")).toEqual({
      cpus: [{ cpu: "3", ticks: [1, 2, 3, 4, 5, 0, 0, 0, 0, 0] }],
      interrupts: undefined,
      contextSwitches: undefined,
      bootSeconds: 7,
      forks: undefined,
      running: undefined,
      blocked: undefined,
    });
  });

  test("memory is in bytes where it has a unit", () => {
    expect(parseMeminfo("Active(anon):  1828 kB\nHugePages_Total:  3\nbad name: 1 kB\n")).toEqual([
      { name: "Active_anon", unit: "bytes", value: 1828 * 1024 },
      { name: "HugePages_Total", unit: "none", value: 3 },
    ]);
  });

  test("a disk of an old kernel has fewer figures, and a line that is none is left out", () => {
    const disks = parseDiskstats(captured("proc/diskstats"));
    expect(disks.map(({ device, figures }) => [device, figures.length])).toContainEqual(["sda", 11]);
    expect(disks.map(({ device, figures }) => [device, figures.length])).toContainEqual(["vda", 17]);
    expect(parseDiskstats("8 0 sda 1 2 x 4 5 6 7 8 9 10 11\n8 1 sda1 1 2 3 4\n")).toEqual([]);
  });

  test("a mount point has its blanks and backslashes back", () => {
    expect(parseMounts("a /with\\040blank\\134and\\011tab ext4 rw,noatime 0 0\nb /x y\n\n")).toEqual([
      { device: "a", mountPoint: "/with blank\\and\ttab", type: "ext4", isReadOnly: false },
    ]);
    expect(parseMounts("a / ext4 ro,errors=remount-ro 0 0")[0]?.isReadOnly).toBe(true);
    expect(parseMounts("a / ext4 rw,errors=remount-ro 0 0")[0]?.isReadOnly).toBe(false);
  });

  test("an interface with a colon in the middle of its line keeps its name", () => {
    const line = `eth0:1: ${Array.from({ length: 16 }, (_, index) => index).join(" ")}`;
    expect(parseNetDev(line)).toEqual([
      { device: "eth0:1", figures: Array.from({ length: 16 }, (_, index) => index) },
    ]);
  });

  test("counters are found under their protocol, also negative ones, and only those that are wanted", () => {
    const text = "Tcp: MaxConn InErrs\nTcp: -1 4\nUdp: InErrors\nTcp: 9\n";
    expect([...parseNetCounters(text, /./)]).toEqual([
      ["Tcp_MaxConn", -1],
      ["Tcp_InErrs", 4],
    ]);
    expect([...parseNetCounters(text, /InErrs/)]).toEqual([["Tcp_InErrs", 4]]);
    expect([...parseNetCounters6("UdpLite6InErrors   \t3\nIp6InReceives x\n", /./)]).toEqual([
      ["UdpLite6_InErrors", 3],
    ]);
  });

  test("a line of softnet belongs to the CPU that it names, else to that of its place", () => {
    const line = (cpu: string): string =>
      `${["a", "b", "c", 0, 0, 0, 0, 0, "1", "2", "3", "4", cpu].join(" ")}\n`;
    expect(parseSoftnet(line("7"))[0]).toEqual({
      cpu: 7,
      processed: 10,
      dropped: 11,
      squeezed: 12,
      collisions: 1,
      receivedRps: 2,
      flowLimits: 3,
      backlog: 4,
    });
    expect(parseSoftnet("1 2 3\n4 5 6\n").map(({ cpu, flowLimits }) => [cpu, flowLimits])).toEqual([
      [0, undefined],
      [1, undefined],
    ]);
  });

  test("entries of the table of connections are told by each CPU's line, and count once", () => {
    const sums = parseConntrack(captured("proc/1/net/stat/nf_conntrack"));
    expect(sums.get("entries")).toBe(33);
    expect(sums.get("ignore")).toBe(0x588a + 0x56a4);
  });

  test("values of os-release are unquoted as a shell does", () => {
    const text = `A="a \\"b\\" \\$c"\nB='x "y"'\nC=bare\n# D=1\nE=\n`;
    expect([...parseOsRelease(text)]).toEqual([
      ["A", 'a "b" $c'],
      ["B", 'x "y"'],
      ["C", "bare"],
      ["E", ""],
    ]);
  });

  test("UDP queues are summed, IPv6 too", () => {
    expect(parseUdp(captured("proc/1/net/udp"))).toEqual({ sending: 0x15, receiving: 0x301 });
    expect(parseUdp(captured("proc/1/net/udp6"))).toEqual({ sending: 0, receiving: 0x100 });
  });

  test("the state of a thread is behind its name, whatever that is", () => {
    const name = fc.oneof(
      fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(") R 1 (", "((()))", "").map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(name, (comm) => {
        const bytes = Buffer.concat([Buffer.from("42 ("), comm, Buffer.from(") D 1 1")]);
        expect(parseThreadState(bytes, bytes.length)).toBe("D");
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        parseThreadState(Buffer.from(bytes), bytes.length);
      }),
    );
  });

  test("the clock's fields are where the kernel puts them", () => {
    const bytes = Buffer.alloc(timexBytes);
    bytes.writeBigInt64LE(-5n, 8);
    bytes.writeInt32LE(0x2040, 40);
    bytes.writeBigInt64LE(10_000n, 88);
    bytes.writeInt32LE(37, 160);
    expect(parseTimex(bytes)).toMatchObject({ offset: -5, status: 0x2040, tick: 10_000, tai: 37 });
    expect(parseTimex(bytes.subarray(0, 160))).toBeUndefined();
  });
});

describe("time zones", () => {
  const file = (rule: string): Buffer => Buffer.from(`TZif2 some bytes\n${rule}\n`);

  test.each([
    ["UTC0", 0, "UTC"],
    ["CET-1CEST,M3.5.0,M10.5.0/3", 3600, "CET"],
    ["CET-1CEST,M3.5.0,M10.5.0/3", 7200, "CEST"],
    ["EST5EDT,M3.2.0,M11.1.0", -18_000, "EST"],
    ["EST5EDT,M3.2.0,M11.1.0", -14_400, "EDT"],
    ["<+0330>-3:30", 12_600, "+0330"],
    ["<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 39_600, "+11"],
    ["CET-1CEST,M3.5.0,M10.5.0/3", 0, undefined],
    ["nonsense", 0, undefined],
  ])("%s at %i seconds is %s", (rule, offset, name) => {
    expect(zoneNameAt(file(rule), offset)).toBe(name);
  });

  test("any bytes give an answer or none", () => {
    const bytes = fc.uint8Array({ maxLength: 300 }).map((any) => Buffer.concat([Buffer.from("TZif"), any]));
    fc.assert(fc.property(bytes, fc.integer(), (any, offset) => void zoneNameAt(any, offset)));
    expect(zoneNameAt(Buffer.from("no zone\nUTC0\n"), 0)).toBeUndefined();
  });
});
