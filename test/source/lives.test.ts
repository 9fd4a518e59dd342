import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { createProblems } from "../../agent/source/problems.ts";
import { createFileReader } from "../../agent/source/procfs/files.ts";
import { createLives, type Life, type Lives, restOf, rests } from "../../agent/source/procfs/lives.ts";

const root = mkdtempSync(path.join(os.tmpdir(), "pidward-lives-"));
afterAll(() => rmSync(root, { recursive: true }));

const pid = 7;
const rereadEvery = 10;
/** Scans whose turn it is for this process. */
const due = (round: number): number => round * rereadEvery - pid;
const bytes = Buffer.from("web\0");
const seen = {
  pid,
  startTicks: 1,
  state: "S".charCodeAt(0),
  flags: 0,
  bytes,
  commFrom: 0,
  commEnd: 3,
  cgroupKey: 5,
};

/** Lives of a process whose command line is what the test says; null: it hangs. */
function makeLives() {
  mkdirSync(path.join(root, String(pid)), { recursive: true });
  writeFileSync(path.join(root, String(pid), "cgroup"), "0::/\n");
  const state = { title: "one" as string | null, reads: 0, isHanging: false };
  const problems = createProblems();
  const lives = createLives({
    root,
    reader: createFileReader(),
    commands: {
      read: () => {
        state.reads++;
        return state.title === null ? "late" : Buffer.from(`${state.title}\0`);
      },
      isHanging: (one) => state.isHanging && one === path.join(root, String(pid), "cmdline"),
    },
    problems: () => problems,
    rereadEvery,
    needsLimits: false,
    needsContainerPid: false,
    isOwnCgroup: () => true,
  });
  return { state, lives };
}

/** Whether the process, of which nothing is known to have changed, may be left as it is in this scan. */
function mayRest(lives: Lives, life: Life, scan: number): boolean {
  const rest = restOf(life);
  return rest === rests.untilRun || (rest === rests.untilTurn && !lives.isTurn(pid, scan));
}

test("one that has not run since it was read is not read again, and is not forgotten", () => {
  const { state, lives } = makeLives();
  const life = lives.update(seen, 1);
  // The second look is for what a young process does after its start.
  expect(mayRest(lives, life, 2)).toBe(false);
  lives.update(seen, 2);
  for (let scan = due(1); scan <= due(4); scan++) {
    expect(mayRest(lives, life, scan)).toBe(true);
    lives.sweep(scan, Int32Array.of(pid));
  }
  expect(state.reads).toBe(2);
  expect(lives.update(seen, due(5) - 1)).toBe(life);
});

test("one that a scan did not see is forgotten, whoever else came or stayed", () => {
  const { lives } = makeLives();
  const of = (other: number) => ({ ...seen, pid: other });
  const first = [1, 2, 3].map((one) => lives.update(of(one), 1));
  lives.sweep(1);
  // 1 is gone and 4 has come: as many as before.
  lives.update(of(4), 2);
  lives.update(of(2), 2);
  lives.sweep(2, Int32Array.of(3));
  expect(lives.update(of(1), 3)).not.toBe(first[0]);
  expect(lives.update(of(2), 3)).toBe(first[1]);
  expect(lives.update(of(3), 3)).toBe(first[2]);
  lives.sweep(3);
  // 4 was not seen by that one.
  lives.sweep(4, Int32Array.of(1, 2, 3));
  expect(lives.update(of(3), 5)).toBe(first[2]);
  expect(lives.update(of(4), 5).sightings).toBe(1);
});

test("one that has run is read when its turn comes, once", () => {
  const { state, lives } = makeLives();
  for (const scan of [1, 2]) lives.update(seen, scan);
  state.title = "two";
  const life = lives.update(seen, due(1) + 1);
  expect(life.command).toEqual(["one"]);
  expect(mayRest(lives, life, due(1) + 2)).toBe(true);
  expect(mayRest(lives, life, due(2))).toBe(false);
  expect(lives.update(seen, due(2)).command).toEqual(["two"]);
  expect(mayRest(lives, life, due(3))).toBe(true);
});

test("a command line that hung once, as with too much to do, is read with the next scan", () => {
  const { state, lives } = makeLives();
  state.title = null;
  lives.update(seen, 1);
  state.title = "two";
  expect(lives.update(seen, 2).command).toEqual(["two"]);
  expect(mayRest(lives, lives.update(seen, 4), 5)).toBe(true);
  expect(state.reads).toBe(2);
});

test("one that hangs still is not tried, and does not rest until it is read", () => {
  const { state, lives } = makeLives();
  Object.assign(state, { title: null, isHanging: true });
  for (let scan = 1; scan < 100; scan++) {
    lives.update(seen, scan);
    expect(mayRest(lives, lives.update(seen, scan), scan + 1)).toBe(false);
  }
  expect(state.reads).toBe(1);
  Object.assign(state, { title: "two", isHanging: false });
  expect(lives.update(seen, 100).command).toEqual(["two"]);
});

test("one that hangs again and again is tried less and less", () => {
  const { state, lives } = makeLives();
  state.title = null;
  const tried: number[] = [];
  for (let scan = 1; scan <= 50; scan++) {
    const { reads } = state;
    lives.update(seen, scan);
    lives.sweep(scan);
    if (state.reads > reads) tried.push(scan);
  }
  expect(tried).toEqual([1, 2, 4, 8, 16, 26, 36, 46]);
});

test("one that ended without having been read owes nothing", () => {
  const { state, lives } = makeLives();
  state.title = null;
  for (const scan of [1, 2]) lives.update(seen, scan);
  const zombie = { ...seen, state: "Z".charCodeAt(0) };
  expect(mayRest(lives, lives.update(zombie, due(1)), due(1) + 1)).toBe(true);
});

test("one with a new name is looked at once more: it is given before the new command line is there", () => {
  const { state, lives } = makeLives();
  for (const scan of [1, 2]) lives.update(seen, scan);
  const renamed = { ...seen, bytes: Buffer.from("db\0\0"), commEnd: 2 };
  state.title = "";
  const life = lives.update(renamed, 4);
  expect(life).toMatchObject({ name: "db", command: [""] });
  state.title = "two";
  expect(mayRest(lives, life, 5)).toBe(false);
  expect(lives.update(renamed, 5).command).toEqual(["two"]);
  expect(mayRest(lives, life, 6)).toBe(true);
});

test("one whose cgroup is not known never rests", () => {
  const { lives } = makeLives();
  rmSync(path.join(root, String(pid), "cgroup"));
  for (const scan of [1, 2]) lives.update(seen, scan);
  expect(restOf(lives.update(seen, 3))).toBe(rests.none);
});
