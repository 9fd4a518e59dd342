import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { ProcessTable } from "../../agent/model.ts";
import { createColumnStore } from "../../agent/source/columns.ts";

interface Row {
  readonly pid: number;
  readonly startTicks: number;
  readonly userId: number;
  readonly name: string;
}

// Few values, so that whole columns often are as they were.
const row: fc.Arbitrary<Row> = fc.record({
  pid: fc.integer({ min: 1, max: 3 }),
  startTicks: fc.constantFrom(1, 2),
  userId: fc.constantFrom(0, Number.NaN),
  name: fc.constantFrom("web", "db"),
});
const scans = fc.array(fc.array(row, { maxLength: 3 }), { minLength: 1, maxLength: 12 });

function write(store: ReturnType<typeof createColumnStore>, rows: readonly Row[]): ProcessTable {
  const columns = store.begin(rows.length + 1);
  for (const { pid, startTicks, userId, name } of rows) {
    const at = columns.length++;
    columns.pid[at] = pid;
    columns.startTicks[at] = startTicks;
    columns.userId[at] = userId;
    columns.name[at] = name;
    columns.command[at] = null;
    columns.cgroup[at] = "/";
  }
  return store.finish();
}

function read({ length, pid, startTicks, userId, name }: ProcessTable): readonly Row[] {
  expect([pid.length, startTicks.length, userId.length, name.length]).toEqual(new Array(4).fill(length));
  return Array.from({ length }, (_, at) => ({
    pid: pid[at] ?? -1,
    startTicks: startTicks[at] ?? -1,
    userId: userId[at] ?? -1,
    name: name[at] ?? "",
  }));
}

test("each table keeps what was written for it, whatever is written later", () => {
  fc.assert(
    fc.property(scans, (scans) => {
      const store = createColumnStore();
      const tables = scans.map((rows) => write(store, rows));
      expect(tables.map(read)).toEqual(scans);
    }),
    { numRuns: 500 },
  );
});

test("a column that is as it was is the same array, one that differs in a row is not", () => {
  const store = createColumnStore();
  const web = { pid: 7, startTicks: 1, userId: Number.NaN, name: "web" };
  const one = write(store, [web]);
  const other = write(store, [{ ...web, startTicks: 2, name: "db" }]);
  expect(other.pid).toBe(one.pid);
  expect(other.userId).toBe(one.userId);
  expect(other.cgroup).toBe(one.cgroup);
  expect(other.startTicks).not.toBe(one.startTicks);
  expect(other.name).not.toBe(one.name);
  expect([one.name, other.name]).toEqual([["web"], ["db"]]);
});

test("a table that was given up does not show in the next", () => {
  const store = createColumnStore();
  const web = { pid: 7, startTicks: 1, userId: 0, name: "web" };
  const first = write(store, [web]);
  const columns = store.begin(2);
  columns.length = 2;
  columns.pid.fill(9);
  columns.name.push("a", "b");
  const next = write(store, [web]);
  expect(read(next)).toEqual([web]);
  expect(next.pid).toBe(first.pid);
  expect(read(first)).toEqual([web]);
});
