import { expect, test } from "@jest/globals";
import { createScanner } from "../../agent/inventory/scanner.ts";
import { silentLogger } from "../../agent/log.ts";
import type { Snapshot } from "../../agent/model.ts";
import type { ProcessSource, Scan } from "../../agent/source/process-source.ts";
import { waitFor } from "../support/wait-for.ts";
import { makeTable, makeTracker } from "./table.ts";

/** A source whose scans end when the test says so. */
class SlowSource implements ProcessSource {
  readonly name = "procfs";
  readonly waiting: ((scan: Scan) => void)[] = [];
  scans = 0;
  scan(): Promise<Scan> {
    this.scans++;
    return new Promise((resolve) => this.waiting.push(resolve));
  }
  finish(): void {
    this.waiting.shift()?.({ table: makeTable([{ pid: this.scans, name: "p" }]), problems: [] });
  }
  close(): void {}
}

function makeScanner(source: ProcessSource, seen: Snapshot[] = []) {
  return createScanner({
    source,
    tracker: makeTracker(() => []),
    intervalMs: 20,
    log: silentLogger,
    clock: { now: () => 1000, monotonicSeconds: () => 1 },
    onSnapshot: (snapshot) => seen.push(snapshot),
  });
}

test("there is never more than one scan, and those who ask during one share the next", async () => {
  const source = new SlowSource();
  const scanner = makeScanner(source);
  const first = scanner.fresh();
  const second = scanner.fresh();
  const third = scanner.fresh();
  expect(source.scans).toBe(1);
  source.finish();
  const began = await first;
  await waitFor("the second scan", () => source.scans === 2);
  source.finish();
  expect(await second).not.toBe(began);
  expect(await third).toBe(await second);
  expect(source.scans).toBe(2);
});

test("the timer scans again and again until it is stopped, and readers see the latest", async () => {
  const seen: Snapshot[] = [];
  const quick: ProcessSource = {
    name: "procfs",
    scan: async () => ({ table: makeTable([{ pid: 1 }]), problems: [] }),
    close: () => {},
  };
  const scanner = makeScanner(quick, seen);
  expect(scanner.latest()).toBeUndefined();
  const first = await scanner.start();
  await waitFor("more scans", () => seen.length >= 3);
  expect(scanner.latest()).not.toBe(first);
  await scanner.stop();
  const count = seen.length;
  await expect(scanner.fresh()).rejects.toMatchObject({ code: "unavailable" });
  expect(seen).toHaveLength(count);
});

test("a scan that fails is an error for who asked, and the next one is made", async () => {
  let fails = true;
  const source: ProcessSource = {
    name: "procfs",
    scan: async () => {
      if (fails) throw new Error("no /proc");
      return { table: makeTable([{ pid: 1 }]), problems: [] };
    },
    close: () => {},
  };
  const scanner = makeScanner(source);
  await expect(scanner.fresh()).rejects.toThrow("no /proc");
  fails = false;
  expect((await scanner.fresh()).table.length).toBe(1);
});

test("it is told how late the timer came", async () => {
  const clock = { seconds: 100 };
  const late: number[] = [];
  const scanner = createScanner({
    source: {
      name: "procfs",
      scan: async () => ({ table: makeTable([{ pid: 1 }]), problems: [] }),
      close: () => {},
    },
    tracker: makeTracker(() => []),
    intervalMs: 20,
    log: silentLogger,
    clock: { now: () => 1000, monotonicSeconds: () => clock.seconds },
    onTimer: (ms) => {
      late.push(Math.round(ms));
      // The second is in time, the third by half a second late.
      clock.seconds += late.length === 1 ? 0.02 : 0.52;
    },
    onSnapshot: () => {},
  });
  await scanner.start();
  await waitFor("three turns", () => late.length >= 3);
  await scanner.stop();
  // The clock stood still until the first: before its time is not late.
  expect(late.slice(0, 3)).toEqual([0, 0, 500]);
});
