import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { words } from "../../agent/source/bpf/process-record.ts";
import { wordsOfRecord } from "../../agent/source/bpf/record-pool.ts";
import { createWalkedPasses, type TaskPasses } from "../../agent/source/bpf/task-passes.ts";
import { noEntry, walkLayout } from "../../agent/source/bpf/walk-memory.ts";
import { writeRecord } from "./write-record.ts";

/** A process of the model; no two have the same `life`. */
interface Process {
  readonly pid: number;
  readonly life: number;
  figure: number;
}

/** What the kernel's program does, on a list of its own. */
interface Model {
  /** In the kernel's order: what is new stands at the end. */
  processes: Process[];
  readonly passes: TaskPasses;
  /** The PIDs of all its records. */
  readonly pids: number[];
}

const looks = 16;
const { entriesAt, entryBytes, entryPassAt, entrySealAt, entrySumAt, outputAt, outputStride } = walkLayout;

/**
 * @param room records after which a call is full
 * @param between what happens between two calls
 */
function createModel(room = 5, between: (model: Model) => void = () => {}): Model {
  const bytes = new ArrayBuffer(walkLayout.bytes);
  const view = new DataView(bytes);
  const get = (at: number): number => view.getUint32(at, true);
  const set = (at: number, value: number): void => view.setUint32(at, value, true);
  const findEntry = (pid: number): number => {
    for (let look = 0; look < looks; look++) {
      const cursor = get(walkLayout.cursorAt);
      const known = get(entriesAt + cursor * entryBytes);
      if (known === noEntry) return noEntry;
      set(walkLayout.cursorAt, cursor + 1);
      if (known === pid) return cursor;
    }
    return noEntry;
  };
  /** @returns whether there was room */
  const visit = ({ pid, life, figure }: Process): boolean => {
    const seal = 1 + figure + life * 1000;
    const sum = 1 + figure + pid * 1000;
    const entry = findEntry(pid);
    const entryAt = entriesAt + entry * entryBytes;
    if (entry !== noEntry) {
      set(entryAt + entryPassAt, get(walkLayout.passAt));
      if (get(entryAt + entrySealAt) === seal && get(entryAt + entrySealAt + 4) === life) return true;
    }
    const written = get(walkLayout.writtenAt);
    if (written === room * outputStride) return false;
    if (entry !== noEntry) {
      set(entryAt + entrySealAt, seal);
      set(entryAt + entrySealAt + 4, life);
      if (get(entryAt + entrySumAt) === sum && get(entryAt + entrySumAt + 4) === pid) return true;
      set(entryAt + entrySumAt, sum);
      set(entryAt + entrySumAt + 4, pid);
    }
    const head = outputAt + written;
    set(head, get(walkLayout.cursorAt));
    set(head + walkLayout.headEntryAt, entry);
    set(head + walkLayout.headSealAt, seal);
    set(head + walkLayout.headSealAt + 4, life);
    set(head + walkLayout.headSumAt, sum);
    set(head + walkLayout.headSumAt + 4, pid);
    Buffer.from(bytes, head + walkLayout.headBytes, outputStride - walkLayout.headBytes).set(
      writeRecord({ processId: BigInt(pid), writtenBytes: BigInt(figure) }),
    );
    set(walkLayout.writtenAt, written + outputStride);
    model.pids.push(pid);
    return true;
  };
  const call = (): void => {
    let isFull = false;
    for (const process of model.processes) {
      const after = get(walkLayout.afterAt);
      if (after === process.pid) set(walkLayout.afterAt, 0);
      else if (after === 0 && !visit(process)) {
        isFull = true;
        break;
      }
    }
    set(walkLayout.isFullAt, Number(isFull));
    if (isFull) between(model);
  };
  const close = (): void => {};
  const passes = createWalkedPasses({ call, close }, { fd: -1, bytes, close });
  const model: Model = { processes: [], passes, pids: [] };
  return model;
}

function shownBy({ passes: { records } }: Model): readonly (readonly [number, number, number])[] {
  return Array.from({ length: records.count() }, (_, index) => [
    records.pids[index] ?? 0,
    records.figure(records.at(index) + words.writtenBytes),
    records.same[index] ?? 0,
  ]);
}

let lives = 0;
const born = (pid: number, figure = 0): Process => ({ pid, life: ++lives, figure });

type Change = readonly [kind: "end" | "begin" | "work", which: number];
const change = fc.tuple(fc.constantFrom("end", "begin", "work"), fc.nat(60)) as fc.Arbitrary<Change>;

function apply(model: Model, [kind, which]: Change): void {
  const { processes } = model;
  const index = which % Math.max(1, processes.length);
  if (kind === "end") model.processes = processes.toSpliced(index, 1);
  else if (kind === "work") for (const one of processes.slice(index, index + 1)) one.figure++;
  else if (!processes.some(({ pid }) => pid === which + 1)) processes.push(born(which + 1));
}

test("pass after pass, each process is shown by PID with its last record, and is as before when that is the same", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(change, { maxLength: 60 }), { minLength: 1, maxLength: 6 }),
      async (rounds) => {
        const model = createModel();
        let before = new Map<number, Process>();
        for (const [scan, changes] of rounds.entries()) {
          for (const one of changes) apply(model, one);
          await model.passes.pass(scan);
          const expected = model.processes
            .toSorted((a, b) => a.pid - b.pid)
            // The record tells nothing of the life: who reads it sees that by the time of the start.
            .map(({ pid, figure }) => [pid, figure, Number(before.get(pid)?.figure === figure)]);
          const shown = shownBy(model);
          expect(shown.map(([pid, figure]) => [pid, figure])).toEqual(
            expected.map(([pid, figure]) => [pid, figure]),
          );
          for (const [index, [pid = 0, , same]] of expected.entries()) {
            // A new life of a PID can be taken for new, though its record is the same.
            const isSameLife = before.get(pid)?.life === model.processes.find((one) => one.pid === pid)?.life;
            if (isSameLife || same === 0) expect([pid, shown[index]?.[2]]).toEqual([pid, same]);
          }
          before = new Map(model.processes.map((one) => [one.pid, { ...one }]));
        }
      },
    ),
  );
});

test("whatever begins and ends while a pass is under way, it shows all that live all along, and the next pass is exact", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 20 }),
      fc.integer({ min: 1, max: 6 }),
      async (during, room) => {
        const left = [...during];
        const ended = new Set<number>();
        const model = createModel(room, () => {
          const lived = model.processes;
          for (const one of left.shift() ?? []) apply(model, one);
          for (const one of lived) if (!model.processes.includes(one)) ended.add(one.pid);
        });
        model.processes = Array.from({ length: 30 }, (_, index) => born(40 - index));
        await model.passes.pass(0);
        for (const one of model.processes) one.figure++;
        const all = model.processes.map(({ pid }) => pid);
        await model.passes.pass(1);
        const shown = shownBy(model).map(([pid]) => pid);
        expect(shown).toEqual([...new Set(shown)].toSorted((a, b) => a - b));
        for (const pid of all) if (!ended.has(pid)) expect(shown).toContain(pid);
        left.length = 0;
        await model.passes.pass(2);
        const now = model.processes.toSorted((a, b) => a.pid - b.pid);
        expect(shownBy(model).map(([pid, figure]) => [pid, figure])).toEqual(
          now.map(({ pid, figure }) => [pid, figure]),
        );
      },
    ),
  );
});

test("one that has the PID of another, which was shown before in the same pass, is shown in its place", async () => {
  const model = createModel(2, () => {
    if (model.processes[0]?.pid !== 5 || model.processes.length !== 6) return;
    model.processes = [...model.processes.slice(1), born(5, 77)];
  });
  model.processes = [born(5), ...[6, 7, 8, 9].map((pid) => born(pid))];
  await model.passes.pass(0);
  for (const one of model.processes.slice(1)) one.figure = 1;
  model.processes.push(born(10, 1));
  await model.passes.pass(1);
  const figures = [[5, 77], ...[6, 7, 8, 9, 10].map((pid) => [pid, 1])];
  for (const scan of [2, 3]) {
    expect(shownBy(model).map(([pid, figure]) => [pid, figure])).toEqual(figures);
    await model.passes.pass(scan);
  }
});

test("processes at rest cost no record, wherever others begin and end", async () => {
  const model = createModel(100);
  model.processes = Array.from({ length: 50 }, (_, index) => born(1000 - index));
  await model.passes.pass(0);
  expect(model.pids.length).toBe(50);
  model.processes = [...model.processes.slice(3, 20), ...model.processes.slice(22), born(7), born(2000)];
  await model.passes.pass(1);
  expect(model.pids.length).toBe(52);
  await model.passes.pass(2);
  expect(model.pids.length).toBe(52);
});

test("when more have ended one after the other than the program looks at, the order is found again", async () => {
  const model = createModel(200);
  model.processes = Array.from({ length: 150 }, (_, index) => born(index + 1));
  await model.passes.pass(0);
  model.processes = [...model.processes.slice(0, 10), ...model.processes.slice(90), born(500)];
  await model.passes.pass(1);
  expect(shownBy(model).map(([pid]) => pid)).toEqual(model.processes.map(({ pid }) => pid));
  const written = model.pids.length;
  await model.passes.pass(2);
  expect(model.pids.length).toBe(written);
});

test("records of processes that have ended give their place to others, those too that were shown twice in a pass", async () => {
  const model = createModel(6, () => {
    const ended = model.pids.slice(-2);
    if (ended.some((pid) => pid % 4 === 0))
      model.processes = model.processes.filter(({ pid }) => !ended.includes(pid));
  });
  let most = 0;
  for (let scan = 0; scan < 50; scan++) {
    model.processes = Array.from({ length: 30 }, (_, index) => born(((scan * 30 + index) % 100) + 1));
    await model.passes.pass(scan);
    const { places } = model.passes.records;
    most = Math.max(most, ...places.subarray(0, model.passes.records.count()));
  }
  // Those of a pass that ends have theirs still while those of the next come.
  expect(most / wordsOfRecord).toBeLessThan(2 * 30);
});

test("processes for which there is no entry are shown all the same", async () => {
  const model = createModel(768);
  const count = walkLayout.mostSeen + 500;
  model.processes = Array.from({ length: count }, (_, index) => born(index + 1));
  for (const scan of [0, 1]) {
    await model.passes.pass(scan);
    expect(model.passes.records.count()).toBe(count);
    expect(model.passes.records.pids[count - 1]).toBe(count);
  }
});

test("where processes end faster than they can be shown a pass is an error, and the next one begins anew", async () => {
  const model = createModel(1, () => {
    if (isStorm) model.processes = model.processes.map(({ pid }) => born((pid + 100) % 1000));
  });
  let isStorm = true;
  model.processes = [born(1), born(2), born(3)];
  await expect(model.passes.pass(0)).rejects.toMatchObject({ code: "unavailable" });
  isStorm = false;
  await model.passes.pass(1);
  expect(shownBy(model)).toEqual(
    model.processes.map(({ pid }) => [pid, 0, 0]).toSorted(([a = 0], [b = 0]) => a - b),
  );
});

test("after its end a pass shows nothing new, and does not touch what was given back", async () => {
  const model = createModel();
  model.processes = [born(1)];
  await model.passes.pass(0);
  model.passes.close();
  model.processes.push(born(2));
  await model.passes.pass(1);
  expect(shownBy(model)).toEqual([[1, 0, 0]]);
});
