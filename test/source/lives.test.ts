import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { createProblems } from "../../agent/source/problems.ts";
import { createFileReader } from "../../agent/source/procfs/files.ts";
import { createLives } from "../../agent/source/procfs/lives.ts";

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
  const state = { title: "one" as string | null, reads: 0 };
  const problems = createProblems();
  const lives = createLives({
    root,
    reader: createFileReader(),
    commands: {
      read: () => {
        state.reads++;
        return state.title === null ? "late" : Buffer.from(`${state.title}\0`);
      },
      close: () => {},
    },
    problems: () => problems,
    rereadEvery,
    needsLimits: false,
    needsContainerPid: false,
    isOwnCgroup: () => true,
  });
  return { state, lives };
}

test("one that has not run since it was read is not read again, and is not forgotten", () => {
  const { state, lives } = makeLives();
  expect(lives.isSettled(pid, 1)).toBe(false);
  lives.update(seen, 1);
  // The second look is for what a young process does after its start.
  expect(lives.isSettled(pid, 2)).toBe(false);
  lives.update(seen, 2);
  for (let scan = due(1); scan <= due(4); scan++) {
    expect(lives.isSettled(pid, scan)).toBe(true);
    lives.sweep(scan);
  }
  expect(state.reads).toBe(2);
});

test("one that has run is read when its turn comes, once", () => {
  const { state, lives } = makeLives();
  for (const scan of [1, 2]) lives.update(seen, scan);
  state.title = "two";
  expect(lives.update(seen, due(1) + 1).command).toEqual(["one"]);
  expect(lives.isSettled(pid, due(1) + 2)).toBe(true);
  expect(lives.isSettled(pid, due(2))).toBe(false);
  expect(lives.update(seen, due(2)).command).toEqual(["two"]);
  expect(lives.isSettled(pid, due(3))).toBe(true);
});

test("a command line that could not be read has its turn again", () => {
  const { state, lives } = makeLives();
  state.title = null;
  for (const scan of [1, 2]) lives.update(seen, scan);
  state.title = "two";
  expect(lives.isSettled(pid, due(2) - 1)).toBe(true);
  expect(lives.isSettled(pid, due(2))).toBe(false);
  expect(lives.update(seen, due(2)).command).toEqual(["two"]);
});

test("one with a new name is looked at once more: it is given before the new command line is there", () => {
  const { state, lives } = makeLives();
  for (const scan of [1, 2]) lives.update(seen, scan);
  const renamed = { ...seen, bytes: Buffer.from("db\0\0"), commEnd: 2 };
  state.title = "";
  expect(lives.update(renamed, 4)).toMatchObject({ name: "db", command: [""] });
  state.title = "two";
  expect(lives.isSettled(pid, 5)).toBe(false);
  expect(lives.update(renamed, 5).command).toEqual(["two"]);
  expect(lives.isSettled(pid, 6)).toBe(true);
});
