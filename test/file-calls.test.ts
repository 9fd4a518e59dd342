import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { bindFileCalls, type FileCalls, nodeFileCalls } from "../agent/file-calls.ts";
import { loadSyscalls } from "../agent/syscalls.ts";

const { ENOENT, EISDIR, ESRCH, EBADF } = os.constants.errno;

describe.each([
  ["Node", () => nodeFileCalls],
  ["the C library", async () => (await loadSyscalls()).files],
])("by %s", (_, load) => {
  let calls: FileCalls;
  let folder: string;
  beforeAll(async () => {
    calls = await load();
    folder = mkdtempSync(path.join(os.tmpdir(), "pidward-file-calls-"));
    writeFileSync(path.join(folder, "näme"), "content");
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("a file is read from where the reading is, into the buffer from a position on", () => {
    const fd = calls.open(path.join(folder, "näme"));
    const into = Buffer.from("....");
    expect(calls.read(fd, into, 1)).toBe(3);
    expect(into.toString()).toBe(".con");
    expect(calls.read(fd, into, 0)).toBe(4);
    expect(into.toString()).toBe("tent");
    expect(calls.read(fd, into, 0)).toBe(0);
    calls.close(fd);
    expect(calls.read(fd, into, 0)).toBe(-EBADF);
  });

  test("a size is the file's", () => {
    expect(calls.size(path.join(folder, "näme"))).toBe(7);
  });

  test("errors are negative numbers", () => {
    expect(calls.open(path.join(folder, "none"))).toBe(-ENOENT);
    expect(calls.size(path.join(folder, "none"))).toBe(-ENOENT);
    const fd = calls.open(folder);
    expect(calls.read(fd, Buffer.alloc(8), 0)).toBe(-EISDIR);
    calls.close(fd);
  });

  test("a file of a process that has ended says so", async () => {
    const child = spawn("sleep", ["100"], { stdio: "ignore" });
    const ended = once(child, "exit");
    const fd = calls.open(`/proc/${child.pid}/stat`);
    child.kill("SIGKILL");
    await ended;
    expect(calls.read(fd, Buffer.alloc(512), 0)).toBe(-ESRCH);
    calls.close(fd);
  });
});

test("the C library's are in use, and without one of its functions none is", async () => {
  expect((await loadSyscalls()).files).not.toBe(nodeFileCalls);
  const bind = (name: string) => {
    if (name === "statx") throw new Error("Cannot find function 'statx'");
    return () => 0;
  };
  expect(bindFileCalls(bind, () => 0)).toBeUndefined();
});
