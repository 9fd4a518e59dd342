import { expect, test } from "@jest/globals";
import { createCommandLines } from "../../agent/source/procfs/command-lines.ts";
import type { Guarded } from "../../agent/source/procfs/guarded-reader.ts";

/** A reader that notes what it is asked for; PIDs of `late` hang, those from `room` on have no room. */
function makeReader({ late = [], room = 100 }: { late?: number[]; room?: number } = {}) {
  const asked: number[][] = [];
  return {
    asked,
    isHanging: (one: string) => late.some((pid) => one === `/proc/${pid}/cmdline`),
    readAll: (paths: readonly string[]): readonly Guarded[] => {
      const pids = paths.map((one) => Number(/^\/proc\/(\d+)\/cmdline$/.exec(one)?.[1]));
      asked.push(pids);
      const hanging = pids.findIndex((pid) => late.includes(pid));
      const end = hanging === -1 ? Math.min(room, pids.length) : hanging;
      const found: Guarded[] = pids.slice(0, end).map((pid) => Buffer.from(`command of ${pid}`));
      return hanging === -1 ? found : [...found, "late"];
    },
  };
}

test("those that are coming are read with the one that is asked for", () => {
  const reader = makeReader();
  const most: number[] = [];
  const commands = createCommandLines("/proc", reader, (count) => {
    most.push(count);
    return [5, 9];
  });
  expect([3, 5, 9].map((pid) => commands.read(pid).toString())).toEqual([
    "command of 3",
    "command of 5",
    "command of 9",
  ]);
  expect(reader.asked).toEqual([[3, 5, 9]]);
  expect(most).toEqual([31]);
});

test("what was read ahead is given once, and not after the scan", () => {
  const reader = makeReader();
  const commands = createCommandLines("/proc", reader, () => [5, 6]);
  commands.read(3);
  commands.read(5);
  commands.read(5);
  commands.endScan();
  commands.read(6);
  expect(reader.asked.map(([pid]) => pid)).toEqual([3, 5, 6]);
});

test("one that hung ahead is told late without another wait, those behind it are read anew", () => {
  const reader = makeReader({ late: [5] });
  const commands = createCommandLines("/proc", reader, () => (reader.asked.length === 0 ? [5, 9] : []));
  expect(commands.read(3).toString()).toBe("command of 3");
  expect(commands.read(5)).toBe("late");
  expect(commands.read(9).toString()).toBe("command of 9");
  expect(reader.asked).toEqual([[3, 5, 9], [9]]);
});

test("what had no room is read when its time has come", () => {
  const reader = makeReader({ room: 2 });
  const commands = createCommandLines("/proc", reader, () => (reader.asked.length === 0 ? [5, 9] : []));
  expect([3, 5, 9].map((pid) => commands.read(pid).toString())).toEqual([
    "command of 3",
    "command of 5",
    "command of 9",
  ]);
  expect(reader.asked).toEqual([[3, 5, 9], [9]]);
});

test("whether one still hangs is asked by its PID", () => {
  const commands = createCommandLines("/proc", makeReader({ late: [5] }));
  expect([3, 5].map(commands.isHanging)).toEqual([false, true]);
});
