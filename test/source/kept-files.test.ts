import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createKeptFiles } from "../../agent/source/cgroupfs/kept-files.ts";
import { detectCgroups } from "../../agent/source/cgroupfs/layout.ts";
import { listOpen } from "../support/descriptors.ts";

const layout = detectCgroups("/sys");
/** Where a cgroup of the test has the file below: v1 has it in each controller's hierarchy. */
const controller = layout.version === "v2" ? undefined : "memory";
const file = "cgroup.procs";

function readText(name: string): string | undefined {
  return existsSync(name) ? readFileSync(name, "latin1") : undefined;
}

const same = (text: string): string => text;

/** Files of the folder that this process has open. */
function openIn(folder: string): readonly string[] {
  return listOpen(process.pid).filter((target) => target.startsWith(`${folder}/`));
}

describe("in a cgroup of the kernel's", () => {
  const cgroup = `/pidward-kept-${process.pid}`;
  const folder = path.join(layout.root, controller ?? "", cgroup);
  beforeEach(() => mkdirSync(folder));
  afterEach(() => {
    if (existsSync(folder)) rmdirSync(folder);
  });

  test("a file is opened once, and tells what it says by then", () => {
    const files = createKeptFiles(layout, readText);
    const limit = layout.version === "v2" ? "pids.max" : "memory.soft_limit_in_bytes";
    const texts: (string | undefined)[] = [];
    for (const value of ["8192", "4096"]) {
      if (existsSync(path.join(folder, limit))) writeFileSync(path.join(folder, limit), value);
      texts.push(files.parsed(controller, cgroup, limit, same));
      files.sweep();
    }
    expect(texts).toEqual(
      existsSync(path.join(folder, limit)) ? ["8192\n", "4096\n"] : [undefined, undefined],
    );
    expect(files.parsed(controller, cgroup, file, same)).toBe("");
    expect(openIn(folder).filter((one) => one.endsWith(file))).toHaveLength(1);
    files.sweep();
    files.sweep();
    expect(openIn(folder)).toEqual([]);
  });

  test("is parsed when it has changed", () => {
    const files = createKeptFiles(layout, readText);
    const limit = layout.version === "v2" ? "cgroup.max.depth" : "memory.soft_limit_in_bytes";
    let parsings = 0;
    const parse = (text: string) => ({ parsing: ++parsings, text });
    const read = () => files.parsed(controller, cgroup, limit, parse);
    const first = read();
    expect(read()).toBe(first);
    files.sweep();
    expect(read()).toBe(first);
    for (const value of ["4096", "8192", "12288"]) {
      writeFileSync(path.join(folder, limit), value);
      expect(read()).toEqual({ parsing: parsings, text: `${value}\n` });
      expect(read()?.parsing).toBe(parsings);
    }
    expect(parsings).toBe(4);
    expect(files.parsed(controller, cgroup, limit, same)).toBe("12288\n");
    files.sweep();
    files.sweep();
  });

  test("a cgroup that is removed is gone, and one of its name in its place is another", () => {
    const files = createKeptFiles(layout, readText);
    expect(files.parsed(controller, cgroup, file, same)).toBe("");
    rmdirSync(folder);
    files.sweep();
    expect(files.parsed(controller, cgroup, file, same)).toBeUndefined();
    expect(openIn(folder)).toEqual([]);
    mkdirSync(folder);
    files.sweep();
    files.sweep();
    expect(files.parsed(controller, cgroup, file, same)).toBe("");
    files.sweep();
    rmdirSync(folder);
    mkdirSync(folder);
    // Between two rounds: the old one's descriptor says so.
    expect(files.parsed(controller, cgroup, file, same)).toBe("");
    files.sweep();
    files.sweep();
  });

  test("tells whether it is the same cgroup as in the round before, without a look at its folder", () => {
    const files = createKeptFiles(layout, readText);
    const round = () => {
      files.sweep();
      files.parsed(controller, cgroup, file, same);
      return files.lifeOf(cgroup);
    };
    expect(files.lifeOf(cgroup)).toBeUndefined();
    expect(round()).toBeUndefined();
    const first = round();
    expect(first).toEqual(expect.any(Number));
    expect(round()).toBe(first);
    rmdirSync(folder);
    mkdirSync(folder);
    expect(round()).not.toBe(first);
    const second = round();
    expect(second).toEqual(expect.any(Number));
    expect(second).not.toBe(first);
    rmdirSync(folder);
    expect(round()).toBeUndefined();
    files.sweep();
    files.sweep();
  });

  test("what is not there is none, round after round", () => {
    const files = createKeptFiles(layout, readText);
    for (let round = 0; round < 30; round++) {
      expect(files.parsed(controller, cgroup, "no.such", same)).toBeUndefined();
      files.sweep();
    }
    expect(openIn(folder)).toEqual([]);
    files.sweep();
  });

  test("no more are held than allowed, and what is read seldom is not held", () => {
    const files = createKeptFiles(layout, readText, 1);
    const other = layout.version === "v2" ? "cgroup.events" : "memory.failcnt";
    for (let round = 0; round < 3; round++) {
      expect(files.parsed(controller, cgroup, file, same)).toBe("");
      expect(files.parsed(controller, cgroup, other, same)).toBe(readText(path.join(folder, other)));
      expect(files.textOnce(controller, cgroup, file)).toBe("");
      expect(openIn(folder)).toEqual([path.join(folder, file)]);
      files.sweep();
    }
    files.sweep();
  });
});

test("files of no cgroup file system are opened each time: their descriptors do not tell that they are gone", () => {
  const root = mkdtempSync(path.join(os.tmpdir(), "pidward-kept-"));
  try {
    mkdirSync(path.join(root, "a"));
    const files = createKeptFiles({ version: "v2", root }, readText);
    writeFileSync(path.join(root, "a/file"), "1\n");
    expect(files.parsed(undefined, "/a", "file", same)).toBe("1\n");
    expect(openIn(root)).toEqual([]);
    rmSync(path.join(root, "a/file"));
    expect(files.parsed(undefined, "/a", "file", same)).toBeUndefined();
    expect(files.parsed(undefined, "/../a", "file", same)).toBeUndefined();
  } finally {
    rmSync(root, { recursive: true });
  }
});
