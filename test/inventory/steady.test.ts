import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { ProcessTable } from "../../agent/model.ts";
import type { Scan } from "../../agent/source/process-source.ts";
import { GroupScene } from "./process-groups/scenes.ts";
import { makeContainer, makeTable, type TestProcess } from "./table.ts";

type Column = ArrayLike<unknown>;

/** Reads as a source does that knows what has changed: equal columns are shared, and the rows that differ are told. */
function createReader(): (processes: readonly TestProcess[]) => Scan {
  let last: ProcessTable | undefined;
  return (processes) => {
    const made: Record<string, unknown> = { ...makeTable(processes) };
    const before = last as unknown as Record<string, Column> | undefined;
    const columns = Object.keys(made).filter((name) => name !== "length");
    const isSame = (name: string, row: number): boolean =>
      Object.is((made[name] as Column)[row], before?.[name]?.[row]);
    const rows = [...processes.keys()];
    for (const name of columns) {
      const isShared = last?.length === processes.length && rows.every((row) => isSame(name, row));
      if (isShared) made[name] = before?.[name];
    }
    const table = made as unknown as ProcessTable;
    const hasSameLives = last?.pid === table.pid && last.startTicks === table.startTicks;
    const changed = rows.filter((row) => columns.some((name) => !isSame(name, row)));
    const changes = last !== undefined && hasSameLives ? { since: last, rows: changed } : undefined;
    last = table;
    return { table, problems: [], changes };
  };
}

const edit = fc.record({
  pid: fc.integer({ min: 2, max: 6 }),
  what: fc.constantFrom("work", "read", "hide", "rename", "move", "adopt", "stop", "vanish"),
  value: fc.integer({ min: 1, max: 3 }),
});
const step = fc.record({
  edits: fc.array(edit, { maxLength: 3 }),
  seconds: fc.constantFrom(0.1, 1, 1, 1000),
  ended: fc.option(fc.integer({ min: 2, max: 9 }), { freq: 4 }),
});
type Edit = typeof edit extends fc.Arbitrary<infer E> ? E : never;

const argv = ["serve"];
const names = ["", "web", "db", "runc:[2:INIT]"];
const containers = ["", "shop", "mail", "unheard"];

/** A process after something has happened to it; undefined: it is gone. */
function apply(process: TestProcess | undefined, { pid, what, value }: Edit): TestProcess | undefined {
  const { userSeconds = 0, readBytes = 0, ...rest } = process ?? { pid, name: "web", command: argv };
  const now = { ...rest, userSeconds, readBytes };
  const readable = Number.isNaN(readBytes) ? 0 : readBytes;
  switch (what) {
    case "work":
      return { ...now, userSeconds: userSeconds + value, residentBytes: 4096 * value };
    case "read":
      return { ...now, readBytes: readable + value * 512, openFiles: value };
    case "hide":
      return { ...now, readBytes: Number.NaN, openFiles: Number.NaN };
    case "rename":
      return { ...now, name: names[value] ?? "" };
    case "move":
      return { ...now, container: containers[value] ?? "" };
    case "adopt":
      return { ...now, parentPid: value };
    case "stop":
      return { ...now, state: "T", threads: value };
    case "vanish":
      return undefined;
    default:
      return now;
  }
}

const settings = fc.record({
  maxPrograms: fc.constantFrom(2, 1000),
  recheck: fc.boolean(),
  children: fc.boolean(),
});

test("a scan that says what has changed is joined as one that does not", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), settings, (steps, settings) => {
      const known = [makeContainer("shop", { initPid: 2 }), makeContainer("mail")];
      const options = { containers: () => known, ...settings };
      const scenes = [new GroupScene({ ...options, read: createReader() }), new GroupScene(options)];
      const processes = new Map<number, TestProcess>();
      for (const pid of [1, 2, 3, 4]) processes.set(pid, { pid, name: "web", command: argv });
      for (const { edits, seconds, ended } of steps) {
        for (const one of edits) {
          const after = apply(processes.get(one.pid), one);
          if (after === undefined) processes.delete(one.pid);
          else processes.set(one.pid, after);
        }
        const [told, untold] = scenes.map((scene) => {
          if (ended !== null) scene.ended(ended, ended * 10, 7);
          const snapshot = scene.scan(
            [...processes.values()].sort((a, b) => a.pid - b.pid),
            seconds,
          );
          const { programs, programOf, cpuCores, containerOf } = snapshot;
          return { programs, programOf, cpuCores, containerOf, groups: scene.groups.sums() };
        });
        expect(told).toEqual(untold);
      }
    }),
    { numRuns: 1000 },
  );
});

test("programs whose processes have done nothing are as they were", () => {
  const scene = new GroupScene({ read: createReader() });
  const idle: TestProcess = { pid: 7, name: "idle", command: argv };
  const busy = (userSeconds: number): TestProcess => ({ pid: 8, name: "busy", command: argv, userSeconds });
  const programs = [1, 2, 3].map((seconds) => scene.scan([idle, busy(seconds)]).programs);
  const [, before, now] = programs;
  const pick = (name: string, of = now) => of?.find((one) => one.name === name);
  expect(pick("idle")).toBe(pick("idle", before));
  expect(pick("busy")).not.toBe(pick("busy", before));
  expect(pick("busy")?.userSeconds).toBe(3);
});
