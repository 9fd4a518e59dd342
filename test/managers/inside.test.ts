import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type ContainerRoot, openContainerFiles } from "../../agent/managers/inside.ts";
import { loadSyscalls, type Syscalls } from "../../agent/syscalls.ts";

// A folder in the place of /proc/PID/root: what holds for a container's root holds for it.
const outside = mkdtempSync(path.join(os.tmpdir(), "pidward-inside-"));
const root = path.join(outside, "proc/42/root");
let syscalls: Syscalls;
let files: ContainerRoot;

beforeAll(async () => {
  mkdirSync(path.join(root, "etc"), { recursive: true });
  mkdirSync(path.join(root, "bin"));
  mkdirSync(path.join(root, "run"));
  symlinkSync("/run", path.join(root, "var-run"));
  writeFileSync(path.join(root, "run/inside.sock"), "inside");
  writeFileSync(path.join(root, "etc/passwd"), "root:x:0:0::/:/bin/sh\n");
  writeFileSync(path.join(root, "bin/tool"), "#!/bin/sh\n", { mode: 0o755 });
  writeFileSync(path.join(outside, "secret"), "the host's");
  symlinkSync(path.join(outside, "secret"), path.join(root, "absolute"));
  symlinkSync("../../../../secret", path.join(root, "etc/upwards"));
  syscalls = await loadSyscalls();
  files = openContainerFiles(path.join(outside, "proc"), 42, syscalls);
});

afterAll(() => rmSync(outside, { recursive: true }));

test("a file is read from inside, cut at the limit", () => {
  expect(files.read("/etc/passwd", 100)?.toString()).toBe("root:x:0:0::/:/bin/sh\n");
  expect(files.read("/etc/passwd", 4)?.toString()).toBe("root");
});

test("an absolute link is followed inside the root", () => {
  expect(files.read("/var-run/inside.sock", 100)?.toString()).toBe("inside");
});

test("no link leads to a file of the host", () => {
  expect(files.read("/absolute", 100)).toBeUndefined();
  expect(files.read("/etc/upwards", 100)).toBeUndefined();
  expect(files.read("../../../secret", 100)).toBeUndefined();
});

test("executables and folders are told from other files", () => {
  expect(files.isExecutable("/bin/tool")).toBe(true);
  expect(files.isExecutable("/etc/passwd")).toBe(false);
  expect(files.isExecutable("/bin")).toBe(false);
  expect(files.isFolder("/bin")).toBe(true);
  expect(files.isFolder("/nowhere")).toBe(false);
});

test("a FIFO is not waited for", () => {
  execFileSync("mkfifo", [path.join(root, "run/fifo")]);
  expect(files.read("/run/fifo", 100)).toBeUndefined();
});

test("a folder is listed, and what is none has no names", () => {
  expect([...files.list("/")].sort()).toEqual(["absolute", "bin", "etc", "run", "var-run"]);
  expect(files.list("/var-run")).toContain("inside.sock");
  expect(files.list("/etc/passwd")).toEqual([]);
  expect(files.list("/nowhere")).toEqual([]);
});

test("a socket and a FIFO are told from each other and from files, and nothing stays open", async () => {
  const before = readdirSync("/proc/self/fd").length;
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(path.join(root, "run/real.sock"), resolve));
  execFileSync("mkfifo", [path.join(root, "run/pipe")]);
  const fd = files.openSpecial("/var-run/real.sock", "socket");
  expect(fd).toEqual(expect.any(Number));
  closeSync(fd ?? -1);
  closeSync(files.openSpecial("/run/pipe", "fifo") ?? -1);
  expect(files.openSpecial("/run/real.sock", "fifo")).toBeUndefined();
  expect(files.openSpecial("/run/pipe", "socket")).toBeUndefined();
  expect(files.openSpecial("/etc/passwd", "socket")).toBeUndefined();
  await new Promise((resolve) => server.close(resolve));
  // Those of earlier tests may still have been closing.
  expect(readdirSync("/proc/self/fd").length).toBeLessThanOrEqual(before);
});

test("a process that is gone has no files", () => {
  const gone = openContainerFiles(path.join(outside, "proc"), 43, syscalls);
  expect(gone.read("/etc/passwd", 100)).toBeUndefined();
});
