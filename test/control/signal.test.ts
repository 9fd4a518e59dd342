import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { openProcess } from "../../agent/control/process-handle.ts";
import { type SignalParts, sendSignals } from "../../agent/control/signal.ts";
import { AgentError } from "../../agent/errors.ts";
import type { TargetProcess } from "../../agent/model.ts";
import { parseSignal } from "../../agent/signal-names.ts";
import { loadSyscalls } from "../../agent/syscalls.ts";

const children: ChildProcess[] = [];

/** A process of this test that ends by TERM or ignores it, and says when it is ready. */
async function startChild(onTerm: "ends" | "ignores"): Promise<TargetProcess> {
  const script = `${onTerm === "ignores" ? "process.on('SIGTERM', () => {});" : ""} process.on('SIGHUP', () => {}); console.log('ready'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  if (child.stdout === null || child.pid === undefined) throw new Error("the child did not start");
  await once(child.stdout, "data");
  return target(child.pid);
}

function readStat(pid: number) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { startTicks: Number(fields[19]), state: (fields[0] ?? "?").charCodeAt(0) };
  } catch {
    return undefined;
  }
}

function target(pid: number, startTicks = readStat(pid)?.startTicks ?? 0): TargetProcess {
  return {
    ref: { pid, startTicks },
    name: "node",
    parentPid: process.pid,
    kernelThread: false,
    container: null,
    authority: null,
    program: "node",
    init: false,
  };
}

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

let withPidfd: SignalParts;
const withoutPidfd: SignalParts = { syscalls: undefined, readStat, monotonicMs: () => performance.now() };
beforeAll(async () => {
  withPidfd = { ...withoutPidfd, syscalls: await loadSyscalls() };
});

describe.each([
  ["with pidfds", () => withPidfd],
  ["with the re-check alone", () => withoutPidfd],
])("%s", (_, parts) => {
  test("a process that ends by TERM has exited", async () => {
    const targets = [await startChild("ends")];
    const order = { targets, signal: parseSignal("TERM"), graceSeconds: 5 };
    expect(await sendSignals(order, parts())).toEqual(["exited"]);
  });

  test("a process that ignores TERM is killed after the grace", async () => {
    const targets = [await startChild("ignores")];
    const order = { targets, signal: parseSignal("TERM"), graceSeconds: 0.1 };
    expect(await sendSignals(order, parts())).toEqual(["killed"]);
  });

  test("a signal that is handled was sent", async () => {
    const targets = [await startChild("ends")];
    const order = { targets, signal: parseSignal("HUP"), graceSeconds: undefined };
    expect(await sendSignals(order, parts())).toEqual(["sent"]);
  });

  test("another life of the PID is never hit", async () => {
    const living = await startChild("ends");
    const earlier = target(living.ref.pid, living.ref.startTicks - 1);
    const order = { targets: [earlier], signal: parseSignal("KILL"), graceSeconds: undefined };
    expect(await sendSignals(order, parts())).toEqual(["gone"]);
    expect(openProcess(living.ref, parts())?.exited()).toBe(false);
  });

  test("a process that has ended is gone", async () => {
    const living = await startChild("ends");
    const child = children.at(-1);
    child?.kill("SIGKILL");
    if (child !== undefined) await once(child, "exit");
    const order = { targets: [living], signal: parseSignal("TERM"), graceSeconds: undefined };
    expect(await sendSignals(order, parts())).toEqual(["gone"]);
  });
});

test("signals are read by name and by number", () => {
  expect(parseSignal("TERM")).toEqual({ name: "SIGTERM", number: 15 });
  expect(parseSignal("sighup")).toEqual({ name: "SIGHUP", number: 1 });
  expect(parseSignal("9")).toEqual({ name: "SIGKILL", number: 9 });
  expect(parseSignal("40")).toEqual({ name: "40", number: 40 });
});

test.each(["SIGTERN", "0", "65", "", "TERM; rm"])("%j is no signal", (text) => {
  expect(() => parseSignal(text)).toThrow(AgentError);
});

test("the nearest signal is suggested", () => {
  expect(() => parseSignal("SIGTERN")).toThrow("did you mean SIGTERM?");
});
