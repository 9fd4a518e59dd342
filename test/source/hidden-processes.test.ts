import { mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeEach, expect, test } from "@jest/globals";
import { createHiddenFinder } from "../../agent/source/bpf/hidden-processes.ts";

/** Like /proc, a folder has a link for each folder in it. */
const root = mkdtempSync(path.join(os.tmpdir(), "pidward-hidden-"));
beforeEach(() => {
  rmSync(root, { recursive: true });
  mkdirSync(root);
  for (const pid of [1, 7, 9, 20]) mkdirSync(path.join(root, String(pid)));
});
afterAll(() => rmSync(root, { recursive: true }));

function finder(...pids: readonly number[]) {
  const columns = Int32Array.from([...pids, 1, 1]);
  const shown = { count: () => pids.length, pids: columns };
  return createHiddenFinder(shown, root);
}

test("what is listed and not shown is found, in ascending order, and told until the next look", () => {
  const find = finder(7, 9);
  expect(find(0)).toEqual([1, 20]);
  mkdirSync(path.join(root, "15"));
  expect(find(1)).toEqual([1, 20]);
  expect(find(59)).toEqual([1, 20]);
  expect(find(60)).toEqual([1, 15, 20]);
  rmdirSync(path.join(root, "1"));
  expect(find(120)).toEqual([15, 20]);
});

test("while the number stays all are listed at every tenth look only", () => {
  const find = finder(7, 9);
  find(0);
  renameSync(path.join(root, "20"), path.join(root, "30"));
  for (let look = 1; look < 10; look++) expect(find(look * 60)).toEqual([1, 20]);
  expect(find(600)).toEqual([1, 30]);
});

test("a procfs that cannot be listed is an error that names it", () => {
  rmSync(root, { recursive: true });
  expect(() => finder(7)(0)).toThrow(root);
  mkdirSync(root);
});
