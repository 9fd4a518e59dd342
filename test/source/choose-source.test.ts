import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { AgentError } from "../../agent/errors.ts";
import { chooseSources, type SourceParts } from "../../agent/source/choose-source.ts";
import { createThreadReader } from "../../agent/source/procfs/thread-reader.ts";
import { loadSyscalls, type Syscalls } from "../../agent/syscalls.ts";
import { cgroups, units } from "./bpf-side-by-side.ts";

let syscalls: Syscalls;
beforeAll(async () => {
  syscalls = await loadSyscalls();
});

describe("the choice of sources", () => {
  const choose = (facts: Partial<SourceParts>) =>
    chooseSources({
      source: "auto",
      eventsSource: "auto",
      procRoot: "/proc",
      sysRoot: "/sys",
      units,
      cgroups,
      commands: createThreadReader(),
      syscalls: undefined,
      now: Date.now,
      monotonicNs: () => Number(process.hrtime.bigint()),
      ...facts,
    });

  test("without koffi processes are read from /proc and ends come from snapshots, with the reason", () => {
    const chosen = choose({});
    expect(chosen).toMatchObject({ source: { name: "procfs" }, exits: undefined });
    expect(chosen.sourceReason).toContain("koffi");
    expect(chosen.exitsReason).toContain("koffi");
  });

  test("without type information there is no BPF, and the reason names the file", () => {
    const chosen = choose({ sysRoot: "/nowhere", syscalls });
    expect(chosen.source.name).toBe("procfs");
    expect(chosen.sourceReason).toContain("/nowhere/kernel/btf/vmlinux");
    expect(chosen.exitsReason).toContain("/nowhere/kernel/btf/vmlinux");
    chosen.exits?.close();
  });

  test("type information of another kernel, or a broken one, is no reason to fail", () => {
    const root = mkdtempSync(path.join(os.tmpdir(), "pidward-sys-"));
    mkdirSync(path.join(root, "kernel/btf"), { recursive: true });
    const whole = readFileSync(path.join(__dirname, "../fixtures/btf/linux-6.1.btf"));
    for (const types of [
      whole.subarray(0, 9000),
      Buffer.concat([whole.subarray(0, 9000), Buffer.alloc(20_000, 7)]),
    ]) {
      writeFileSync(path.join(root, "kernel/btf/vmlinux"), types);
      const chosen = choose({ sysRoot: root, syscalls });
      expect(chosen.source.name).toBe("procfs");
      expect(chosen.sourceReason).toMatch(/kernel/);
      chosen.exits?.close();
    }
    rmSync(root, { recursive: true });
  });

  test("what was asked for has no reason, and is an error when it cannot be had", () => {
    const asked = choose({ source: "procfs", eventsSource: "snapshot", syscalls });
    expect([asked.sourceReason, asked.exitsReason]).toEqual([null, null]);
    expect(() => choose({ source: "bpf" })).toThrow("--source=bpf: ");
    expect(() => choose({ source: "procfs", eventsSource: "bpf" })).toThrow("--events.source=bpf: ");
    expect(() => choose({ source: "procfs", eventsSource: "connector" })).toThrow(AgentError);
  });
});
