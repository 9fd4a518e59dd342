import { beforeEach, expect, test } from "@jest/globals";
import type { ContainerActions, ExecRequest } from "../../agent/containers/runtime.ts";
import { createLabelDriver } from "../../agent/control/drivers/label.ts";
import type { CommandResult, ExecInContainer } from "../../agent/control/exec-in-container.ts";
import { createStop } from "../../agent/control/stop.ts";
import { createStopByCommand } from "../../agent/control/stop-by-command.ts";
import { planStop, runStops, type StopTargetsParts } from "../../agent/control/stop-targets.ts";
import { AgentError } from "../../agent/errors.ts";
import { findTargets } from "../../agent/inventory/targets.ts";
import type { Container, TargetProcess } from "../../agent/model.ts";
import { makeContainer, makeSnapshot, type TestProcess } from "../inventory/table.ts";
import { failure } from "../support/failure.ts";
import { FakeKernel } from "./fake-kernel.ts";

const label = "pidward.program.db.stop";
const labels = { [label]: "db stop", "pidward.program.db.start": "db run" };
const inside = (pid: number, parentPid: number, name: string): TestProcess => ({
  pid,
  parentPid,
  name,
  container: "web",
});
/** Two first processes of `db`, one of them with a child; and `cron`. */
const tree = [
  { pid: 1, parentPid: 0 },
  { pid: 8 },
  inside(40, 8, "init"),
  inside(50, 40, "db"),
  inside(51, 40, "db"),
  inside(52, 51, "child"),
  inside(60, 40, "cron"),
];

let kernel: FakeKernel;
/** What the command does, and what it gives. */
let command: () => Partial<CommandResult>;
let commands: string[];
let limits: number[];
beforeEach(() => {
  kernel = new FakeKernel();
  for (const { pid } of tree) kernel.add(pid);
  commands = [];
  limits = [];
  command = () => {
    for (const pid of [50, 51]) kernel.end(pid);
    return {};
  };
});

const runCommand: ExecInContainer = async (_, { argv }, { timeoutMs }) => {
  commands.push(argv.join(" "));
  limits.push(timeoutMs);
  const nothing = Buffer.alloc(0);
  return { exitCode: 0, stdout: nothing, stderr: nothing, truncated: false, timedOut: false, ...command() };
};

function setUp(facts: Partial<Container> = {}) {
  const web = makeContainer("web", { initPid: 40, labels, ...facts });
  const snapshot = makeSnapshot(tree, [web]);
  const stopByCommand = createStopByCommand({ ...kernel.parts, runCommand });
  const parts: StopTargetsParts = {
    ...kernel.parts,
    stopByCommand,
    findManager: async () => undefined,
    actionsOf: () => undefined,
  };
  const targets = findTargets("web/db", snapshot, () => web);
  const order = (graceSeconds: number) => ({
    container: web,
    command: { label, argv: ["db", "stop"] },
    processes: targets.processes,
    graceSeconds,
  });
  const orderStop = async (processes: readonly TargetProcess[], graceSeconds?: number) =>
    Promise.all(processes.map((one) => planStop(one, processes, graceSeconds, snapshot, parts)));
  return { snapshot, web, parts, targets, order, orderStop, stopByCommand };
}

test("a program that ends by its command gets no signal, and there is nothing to say", async () => {
  const { stopByCommand, order } = setUp();
  expect(await stopByCommand(order(10))).toEqual({ killed: new Set(), notes: [] });
  expect([commands, limits, kernel.sent]).toEqual([["db stop"], [10_000], []]);
});

test("processes that end after their command has are waited for", async () => {
  const { stopByCommand, order } = setUp();
  command = () => {
    kernel.end(50);
    setTimeout(() => kernel.end(51), 50);
    return {};
  };
  expect(await stopByCommand(order(20))).toEqual({ killed: new Set(), notes: [] });
});

test.each<[string, Partial<CommandResult>, string]>([
  ["fails", { exitCode: 3, stderr: Buffer.from("no pid file\n") }, 'exited with code 3: "no pid file"'],
  ["is forgotten", { exitCode: null }, "exited with code unknown"],
  ["takes too long", { exitCode: 143, timedOut: true }, "did not end within 0.05 s and was ended"],
  ["is too loud", { exitCode: 143, truncated: true }, "wrote too much and was ended"],
])("what a command that %s leaves is killed, and both are said", async (_, result, words) => {
  const { stopByCommand, order } = setUp();
  command = () => {
    kernel.end(50);
    return result;
  };
  const { killed, notes } = await stopByCommand(order(0.05));
  expect([...killed]).toEqual(["51@510"]);
  expect(notes).toEqual([
    `the command of label ${label} ${words}`,
    "killed, not ended within 0.05 s by that command: 51@510 (db)",
  ]);
  expect(kernel.sent).toEqual(["51 9"]);
});

test("last words are cut", async () => {
  const { stopByCommand, order } = setUp();
  command = () => {
    for (const pid of [50, 51]) kernel.end(pid);
    return { exitCode: 1, stderr: Buffer.from(`${"x".repeat(100_000)}\u001b[2J`) };
  };
  const { notes } = await stopByCommand(order(1));
  expect(notes[0]?.length).toBeLessThan(400);
  expect(notes[0]).toContain("\\u001b[2J");
});

/** The plan of a restart of `web/db`, by an engine that notes what it starts. */
async function planned(facts: Partial<Container> = {}) {
  const { targets, stopByCommand } = setUp(facts);
  const started: ExecRequest[] = [];
  const actions: Pick<ContainerActions, "startDetached"> = {
    startDetached: async (_, request) => {
      started.push(request);
      return "e1";
    },
  };
  const driver = createLabelDriver({
    actionsOf: () => actions as ContainerActions,
    stop: createStop(kernel.parts),
    stopByCommand,
    showCommand: (argv) => argv.map((one) => (one === "secret" ? "***" : one)),
  });
  const planning = await driver.plan(targets);
  return { planning, started };
}

test("a restart stops by the command, then what is left below, and tells what went wrong", async () => {
  const { planning, started } = await planned();
  if (!("plan" in planning)) throw new Error(planning.reason);
  expect(planning.plan.text).toBe(
    'label pidward.program.db.start in web: stop it by ["db","stop"] and run ["db","run"]',
  );
  expect(commands).toEqual([]);
  command = () => {
    for (const pid of [50, 51]) kernel.end(pid);
    return { exitCode: 7 };
  };
  const notes: string[] = [];
  await planning.plan.run((text) => notes.push(text));
  expect(notes).toEqual([`the command of label ${label} exited with code 7`]);
  expect(kernel.sent).toEqual(["52 15"]);
  expect(started.map(({ argv }) => argv)).toEqual([["db", "run"]]);
});

test("secrets in a plan are masked, a stop label alone is no plan, and one that cannot be read is a reason", async () => {
  const masked = await planned({ labels: { ...labels, [label]: "db stop -p secret" } });
  expect(masked.planning).toMatchObject({ plan: { text: expect.stringContaining('"-p","***"') } });
  const alone = await planned({ labels: { [label]: "db stop" } });
  expect(alone.planning).toMatchObject({
    reason: expect.stringContaining("no label pidward.program.db.start"),
  });
  const broken = await planned({ labels: { ...labels, [label]: "[" } });
  expect(broken.planning).toMatchObject({ reason: expect.stringContaining(`label ${label} is neither`) });
});

test("who is to be stopped by a label is stopped once for all its processes", async () => {
  const { targets, orderStop, parts } = setUp();
  const orders = await orderStop(targets.processes);
  expect(orders.map(({ by, driver }) => [by, driver])).toEqual([
    [`label ${label}`, "label"],
    [`label ${label}`, "label"],
  ]);
  command = () => {
    kernel.end(50);
    return { exitCode: 1 };
  };
  const short = await orderStop(targets.processes, 0.05);
  expect(await runStops(short, 5, parts)).toEqual({
    outcomes: ["exited", "killed"],
    notes: [
      `the command of label ${label} exited with code 1`,
      "killed, not ended within 0.05 s by that command: 51@510 (db)",
    ],
  });
  expect([commands, limits]).toEqual([["db stop"], [50]]);
});

test("a command that would stop others too is ambiguous, and lists them", async () => {
  const { snapshot, web, orderStop } = setUp();
  for (const [pid, others] of [
    ["50", ["51@510"]],
    ["52", ["50@500", "51@510"]],
  ] as const) {
    const { processes } = findTargets(pid, snapshot, () => web);
    expect(await failure(orderStop(processes))).toMatchObject({
      code: "ambiguous",
      details: { candidates: others },
    });
  }
});

test("nobody is asked without a label, by a broken one, or in a paused container", async () => {
  const none = setUp();
  const cron = findTargets("web/cron", none.snapshot, () => none.web).processes;
  expect(await failure(none.orderStop(cron))).toMatchObject({ code: "not_found" });
  const broken = setUp({ labels: { [label]: "" } });
  const refusal = await failure(broken.orderStop(broken.targets.processes));
  expect([refusal.code, refusal.message]).toEqual([
    "not_found",
    expect.stringContaining(`label ${label} is`),
  ]);
  const paused = setUp({ state: "paused" });
  expect((await failure(paused.orderStop(paused.targets.processes))).code).toBe("not_running");
  expect([commands, kernel.sent]).toEqual([[], []]);
});

test("an engine that does not answer leaves the program as it is", async () => {
  const { stopByCommand, order } = setUp();
  command = () => {
    throw new AgentError("unavailable", "no answer");
  };
  expect((await failure(stopByCommand(order(0.05)))).message).toBe("no answer");
  expect(kernel.sent).toEqual([]);
});
