import { expect, test } from "@jest/globals";
import { ancestorRows, isAbove } from "../agent/ancestors.ts";
import { makeSnapshot } from "./inventory/table.ts";

const snapshot = makeSnapshot([
  { pid: 1, parentPid: 0 },
  { pid: 10, parentPid: 1 },
  { pid: 20, parentPid: 10 },
  { pid: 30, parentPid: 31 },
  { pid: 31, parentPid: 30 },
  { pid: 40, parentPid: 999 },
]);

const above = (pid: number): readonly (number | undefined)[] =>
  [...ancestorRows(snapshot.rowByPid.get(pid) ?? -1, snapshot)].map((row) => snapshot.table.pid[row]);

test("the ancestors are the parent and those above it, up to PID 1 or to one that was not seen", () => {
  expect(above(20)).toEqual([10, 1]);
  expect(above(1)).toEqual([]);
  expect(above(40)).toEqual([]);
});

test("a loop of parents ends", () => {
  expect(above(30)).toEqual([31]);
  expect(isAbove(1, 30, snapshot)).toBe(false);
});

test("a process is above those below it, and not above itself or what is not there", () => {
  expect([isAbove(1, 20, snapshot), isAbove(10, 20, snapshot)]).toEqual([true, true]);
  expect([isAbove(20, 20, snapshot), isAbove(20, 10, snapshot), isAbove(1, 77, snapshot)]).toEqual([
    false,
    false,
    false,
  ]);
});
