import { beforeEach, expect, test } from "@jest/globals";
import type { Actor, SignalAnswer, SignalRequest } from "../../agent/api.ts";
import type { ContainerActions } from "../../agent/containers/runtime.ts";
import type { Audit, AuditIntent } from "../../agent/control/audit.ts";
import { createGuard } from "../../agent/control/guard.ts";
import { respawner } from "../../agent/control/respawner.ts";
import { type SignalTargetsParts, signalTargets } from "../../agent/control/signal-targets.ts";
import { findTargets } from "../../agent/inventory/targets.ts";
import { zombieParent } from "../../agent/inventory/zombies.ts";
import { silentLogger } from "../../agent/log.ts";
import type { Manager } from "../../agent/managers/manager.ts";
import type { Container } from "../../agent/model.ts";
import { makeContainer, makeSnapshot, type TestProcess } from "../inventory/table.ts";
import { FakeKernel } from "./fake-kernel.ts";

const actor: Actor = { uid: 0, gid: 0, pid: 1, user: "root", from: "test" };

/**
 * Container `web`: init 40, two workers below it (50, 51 with a child 52), a single httpd 60; runsv 70 with a job 71;
 * `lazy` 80 with a zombie 81.
 */
const tree: readonly TestProcess[] = [
  { pid: 1, parentPid: 0, name: "systemd" },
  { pid: 8, name: "shim" },
  { pid: 40, parentPid: 8, name: "init", container: "web" },
  { pid: 50, parentPid: 40, name: "worker", container: "web" },
  { pid: 51, parentPid: 40, name: "worker", container: "web" },
  { pid: 52, parentPid: 51, name: "worker", container: "web" },
  { pid: 60, parentPid: 40, name: "httpd", container: "web" },
  { pid: 61, parentPid: 40, name: "httpd", container: "web", state: "Z", command: [] },
  { pid: 70, parentPid: 40, name: "runsv", container: "web" },
  { pid: 71, parentPid: 70, name: "job", container: "web" },
  { pid: 80, parentPid: 40, name: "lazy", container: "web" },
  { pid: 81, parentPid: 80, name: "child", container: "web", state: "Z", command: [] },
];

class FakeManager implements Manager {
  readonly kind = "supervisord";
  readonly ref = { pid: 40, startTicks: 400 };
  readonly stopped: string[] = [];
  onStop = (): void => {};
  async list() {
    return [];
  }
  async restart(): Promise<void> {}
  async stop(program: string): Promise<void> {
    this.stopped.push(program);
    this.onStop();
  }
  describeRestart(program: string): string {
    return program;
  }
}

let kernel: FakeKernel;
let manager: FakeManager;
let audited: { phase: string; how: string | null; refs: readonly string[]; message?: string | null }[];
let acts: string[];
beforeEach(() => {
  kernel = new FakeKernel();
  for (const { pid, state } of tree) kernel.add(pid, { state: state === "Z" ? "Z" : "S" });
  manager = new FakeManager();
  audited = [];
  acts = [];
});

interface Facts {
  readonly container?: Partial<Container>;
  readonly readOnly?: boolean;
  readonly parts?: Partial<SignalTargetsParts>;
}

function partsOf({ container, readOnly = false, parts }: Facts): SignalTargetsParts {
  const web = makeContainer("web", { initPid: 40, ...container });
  const snapshot = makeSnapshot(tree, [web]);
  const note = (phase: string, { how, refs }: AuditIntent, message?: string | null): void =>
    void audited.push({ phase, how, refs, ...(message === undefined ? {} : { message }) });
  const audit: Pick<Audit, "intend" | "conclude"> = {
    intend: async (intent) => {
      note("intent", intent);
      return "id";
    },
    conclude: async (_, intent, { outcome, message }) => note(outcome ?? "", intent, message),
  };
  return {
    ...kernel.parts,
    guard: createGuard({
      agentPid: 5,
      allowHost: false,
      readOnly,
      nestingOf: (text) => (text === "" ? [] : [text]),
    }),
    audit: audit as Audit,
    membership: {
      agentPid: 5,
      inspect: async (one) => one,
      readNamespace: () => undefined,
      log: silentLogger,
    },
    freshSnapshot: async () => snapshot,
    findTargets: (selector) => findTargets(selector, snapshot, () => web),
    log: silentLogger,
    onAct: (action, driver, outcome) => void acts.push(`${action} ${driver} ${outcome}`),
    findManager: async () => undefined,
    stopByCommand: async () => {
      throw new Error("no command is to be run");
    },
    actionsOf: () => undefined,
    zombieParent,
    ...parts,
  };
}

function signal(
  selector: string,
  rest: Partial<SignalRequest> = {},
  facts: Facts = {},
): Promise<SignalAnswer> {
  return signalTargets({ selector, ...rest }, actor, partsOf(facts));
}

test("a selector that fits several is ambiguous and lists them; all takes them all", async () => {
  await expect(signal("web/worker")).rejects.toMatchObject({
    code: "ambiguous",
    message: expect.stringContaining("--all"),
    details: { candidates: ["50@500 (worker)", "51@510 (worker)"] },
  });
  await expect(signal("web/worker", { tree: true, dryRun: true })).rejects.toMatchObject({
    code: "ambiguous",
  });
  expect(kernel.sent).toEqual([]);
  expect(audited).toEqual([]);
  const answer = await signal("web/worker", { all: true });
  expect(answer.targets.map(({ ref, outcome }) => [ref, outcome])).toEqual([
    ["50@500", "exited"],
    ["51@510", "exited"],
  ]);
  expect(kernel.sent).toEqual(["50 15", "51 15"]);
});

test("a tree below one process is not several", async () => {
  const answer = await signal("51", { tree: true, signal: "KILL" });
  expect(answer.targets.map(({ outcome }) => outcome)).toEqual(["exited", "exited"]);
  expect(kernel.sent).toEqual(["51 9", "52 9"]);
});

test("a zombie beside the one that lives makes nothing ambiguous, and is told with its parent", async () => {
  const answer = await signal("web/httpd");
  expect(answer.targets).toMatchObject([
    { ref: "60@600", outcome: "exited", zombieOf: null },
    { ref: "61@610", outcome: "zombie", zombieOf: { ref: "40@400", name: "init" } },
  ]);
  expect(answer.targets[1]?.zombieOf?.hint).toMatch(/container's init.*--init/);
  expect(kernel.sent).toEqual(["60 15"]);
  expect(audited.at(-1)).toMatchObject({ phase: "failed", message: "zombies that nobody reaps: 61@610" });
});

test("a zombie gets no signal; its parent's end is what helps", async () => {
  const dry = await signal("81", { dryRun: true });
  expect(dry.targets[0]).toMatchObject({ outcome: null, zombieOf: { ref: "80@800", name: "lazy" } });
  const answer = await signal("81", { signal: "KILL", graceSeconds: 1 });
  expect(answer.targets).toMatchObject([{ outcome: "zombie" }]);
  expect(answer.targets[0]?.zombieOf?.hint).toContain("pidward kill 80@800");
  expect(kernel.sent).toEqual([]);
});

test("a zombie whose parent is among the targets is gone when that has ended", async () => {
  const parts = partsOf({});
  const { syscalls } = parts;
  if (syscalls === undefined) throw new Error("no syscalls");
  const signalPidfd: typeof syscalls.signalPidfd = (fd, number) => {
    kernel.end(81);
    return syscalls.signalPidfd(fd, number);
  };
  const answer = await signalTargets({ selector: "80", tree: true }, actor, {
    ...parts,
    syscalls: { ...syscalls, signalPidfd },
  });
  expect(answer.targets.map(({ outcome }) => outcome)).toEqual(["exited", "gone"]);
  expect(audited.at(-1)).toMatchObject({ phase: "done", message: null });
});

test("waiting never kills, and what has not ended is told and kept in the audit", async () => {
  kernel.add(51, { endedBy: [9] });
  const answer = await signal("web/worker", { all: true, wait: true, timeoutSeconds: 0.1 });
  expect(answer.targets.map(({ outcome }) => outcome)).toEqual(["exited", "sent"]);
  expect(kernel.sent).toEqual(["50 15", "51 15"]);
  expect(audited.at(-1)).toMatchObject({ phase: "failed", message: "not ended within 0.1 s: 51@510" });
  expect(acts).toEqual(["signal none failed"]);
  const ended = await signal("60", { wait: true });
  expect(ended.targets).toMatchObject([{ outcome: "exited" }]);
  expect(audited.at(-1)).toMatchObject({ phase: "done" });
});

test.each<[string, Partial<SignalRequest>]>([
  ["a signal does not go with stop", { stop: true, signal: "HUP" }],
  ["tree does not go with stop", { stop: true, tree: true }],
  ["wait does not go with grace", { wait: true, graceSeconds: 1 }],
  ["a timeout goes with wait or stop only", { timeoutSeconds: 1 }],
  ["unknown signal", { signal: "NOPE" }],
])("%s", async (words, request) => {
  await expect(signal("60", request)).rejects.toMatchObject({
    code: "bad_request",
    message: expect.stringContaining(words),
  });
  expect(kernel.sent).toEqual([]);
});

test("a manager stops a program once for all its processes, and no signal is sent", async () => {
  manager.onStop = () => {
    kernel.end(50);
    kernel.end(51);
  };
  const parts = { findManager: async () => ({ manager, program: "worker" }) };
  const dry = await signal("web/worker", { all: true, stop: true, dryRun: true }, { parts });
  expect(dry).toMatchObject({
    signal: null,
    targets: [{ outcome: null, stoppedBy: "supervisord (40)" }, {}],
  });
  expect(manager.stopped).toEqual([]);
  const answer = await signal("web/worker", { all: true, stop: true }, { parts });
  expect(answer).toMatchObject({
    signal: null,
    targets: [
      { outcome: "exited", stoppedBy: "supervisord (40)", respawnedBy: null },
      { outcome: "exited", stoppedBy: "supervisord (40)" },
    ],
  });
  expect(manager.stopped).toEqual(["worker"]);
  expect(kernel.sent).toEqual([]);
  expect(audited).toMatchObject([
    { phase: "intent", how: "stop by supervisord (40)", refs: ["50@500", "51@510"] },
    { phase: "done" },
  ]);
  expect(acts).toEqual(["signal supervisord done"]);
});

test("what has not ended although its manager says so is told", async () => {
  const parts = { findManager: async () => ({ manager, program: "httpd" }) };
  const answer = await signal("60", { stop: true, timeoutSeconds: 0.05 }, { parts });
  expect(answer.targets).toMatchObject([{ outcome: "sent" }]);
  expect(audited.at(-1)).toMatchObject({ phase: "failed", message: "not ended within 0.05 s: 60@600" });
});

test("a manager that fails is the answer, and the audit's", async () => {
  manager.onStop = () => {
    throw new Error("NOT_RUNNING (70)");
  };
  const parts = { findManager: async () => ({ manager, program: "httpd" }) };
  await expect(signal("60", { stop: true }, { parts })).rejects.toThrow("NOT_RUNNING");
  expect(audited.at(-1)).toMatchObject({ phase: "internal", message: "NOT_RUNNING (70)" });
});

test("without a manager nobody can be asked, and a grace is not a manager's", async () => {
  await expect(signal("60", { stop: true })).rejects.toMatchObject({
    code: "not_found",
    message: expect.stringContaining("no process manager is known to run 60@600 (httpd)"),
  });
  const parts = { findManager: async () => ({ manager, program: "httpd" }) };
  await expect(signal("60", { stop: true, graceSeconds: 1 }, { parts })).rejects.toMatchObject({
    code: "bad_request",
  });
  expect(audited).toEqual([]);
});

test("a container's init is stopped by the engine, with the grace", async () => {
  const stopped: unknown[] = [];
  const actions = {
    stopContainer: async (id: string, grace: number) => {
      stopped.push([id, grace]);
      kernel.end(40);
    },
  };
  const parts = { actionsOf: () => actions as unknown as ContainerActions };
  const facts = { parts, container: { restartPolicy: "always" } };
  const answer = await signal("web", { stop: true, graceSeconds: 3 }, facts);
  expect(stopped).toEqual([["web", 3]]);
  expect(answer).toMatchObject({
    targets: [{ ref: "40@400", outcome: "exited", stoppedBy: "docker" }],
    warnings: ["web has restart policy always: it stays down until the engine itself is restarted"],
  });
  expect(acts).toEqual(["signal container done"]);
});

test("a read-only agent answers a dry run, and says that the act would be refused", async () => {
  const dry = await signal("60", { dryRun: true }, { readOnly: true });
  expect(dry.warnings).toEqual([
    "without a dry run this is refused: the agent is read-only (--control.read-only)",
  ]);
  await expect(signal("60", {}, { readOnly: true })).rejects.toMatchObject({ code: "refused" });
  await expect(signal("1", { dryRun: true }, { readOnly: true })).rejects.toMatchObject({ code: "refused" });
  expect(kernel.sent).toEqual([]);
});

test("protected processes are refused in a dry run too", async () => {
  const facts = { container: { labels: { "pidward.program.worker.protect": "1" } } };
  for (const request of [{ all: true }, { all: true, dryRun: true }])
    await expect(signal("web/worker", request, facts)).rejects.toMatchObject({ code: "refused" });
  await expect(signal("web", {}, facts)).rejects.toMatchObject({
    message: expect.stringContaining('program "worker"'),
  });
  expect((await signal("60", {}, facts)).targets).toMatchObject([{ outcome: "exited" }]);
});

test("who starts it again is told, and how sure that is, unless that one is a target too", async () => {
  expect((await signal("71")).targets).toMatchObject([{ respawnedBy: "runsv (70)", respawn: "certain" }]);
  const both = await signal("70", { tree: true, dryRun: true });
  expect(both.targets.map(({ respawnedBy }) => respawnedBy)).toEqual([null, null]);
});

test.each([
  ["always", "certain"],
  ["unless-stopped", "certain"],
  ["on-failure", "possible"],
  ["no", undefined],
  [null, undefined],
])("an init under restart policy %s comes back: %s", (restartPolicy, respawn) => {
  const web = makeContainer("web", { initPid: 40, restartPolicy });
  const snapshot = makeSnapshot(tree, [web]);
  const [init] = findTargets("web", snapshot, () => web).processes;
  if (init === undefined) throw new Error("no init");
  expect(respawner(init, snapshot)?.respawn).toBe(respawn);
});

test.each([
  ["supervisord", "possible"],
  ["s6-supervise", "certain"],
  ["runsv", "certain"],
  ["systemd", "possible"],
  ["bash", undefined],
])("what %s has started comes back: %s", (name, respawn) => {
  const labels = { "pidward.program.job.start": "job" };
  const web = makeContainer("web", { initPid: 40, labels });
  const renamed = tree.map((one) => (one.pid === 70 ? { ...one, name } : one));
  const snapshot = makeSnapshot(renamed, [web]);
  const [job] = findTargets("71", snapshot, () => web).processes;
  if (job === undefined) throw new Error("no job");
  expect(respawner(job, snapshot)).toEqual(respawn === undefined ? null : { by: `${name} (70)`, respawn });
});
