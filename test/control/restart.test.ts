import { expect, test } from "@jest/globals";
import type { ContainerActions, ExecRequest, ExecStatus } from "../../agent/containers/runtime.ts";
import { createContainerDriver } from "../../agent/control/drivers/container.ts";
import type { RestartDriver, RestartPlan, Started } from "../../agent/control/drivers/driver.ts";
import { createLabelDriver, type LabelParts } from "../../agent/control/drivers/label.ts";
import { carryOut, choosePlan, describeOutlook } from "../../agent/control/restart.ts";
import type { SettleParts } from "../../agent/control/settle.ts";
import type { Container, TargetProcess, Targets } from "../../agent/model.ts";
import { makeContainer } from "../inventory/table.ts";
import { failure } from "../support/failure.ts";

const web = makeContainer("web", { initPid: 40 });

function makeTarget(pid: number, facts: Partial<TargetProcess> = {}): TargetProcess {
  const base = {
    name: "httpd",
    parentPid: 40,
    kernelThread: false,
    container: web,
    authority: web,
    program: "httpd",
  };
  return { ref: { pid, startTicks: 7 }, init: false, ...base, ...facts };
}

function makeTargets(facts: Partial<Targets> = {}): Targets {
  return {
    selector: "web/httpd",
    kind: "program",
    container: web,
    program: "httpd",
    processes: [makeTarget(42)],
    descendants: [],
    ...facts,
  };
}

/** An engine that notes what it was asked for. */
class FakeEngine implements ContainerActions {
  readonly started: ExecRequest[] = [];
  readonly restarted: string[] = [];
  status: ExecStatus | undefined = { running: true, pid: 50, exitCode: null };
  async startDetached(_: string, request: ExecRequest): Promise<string> {
    this.started.push(request);
    return "exec1";
  }
  async execStatus(): Promise<ExecStatus | undefined> {
    return this.status;
  }
  async restartContainer(id: string): Promise<void> {
    this.restarted.push(id);
  }
  async stopContainer(): Promise<void> {}
}

/** A world in which `alive` PIDs live and time goes by itself. */
function world(
  engine: FakeEngine,
  alive: ReadonlySet<number>,
  facts: Partial<SettleParts> = {},
): SettleParts {
  return {
    syscalls: undefined,
    readStat: (pid) => (alive.has(pid) ? { startTicks: 9, state: "S".charCodeAt(0) } : undefined),
    monotonicMs: () => performance.now(),
    actionsOf: () => engine,
    inspect: async () => web,
    processesOf: async () => [makeTarget(40, { name: "init", program: "init" })],
    ...facts,
  };
}

function planned(started: Started): RestartPlan {
  return { text: "a plan", warnings: [], stops: [makeTarget(42)], run: async () => started };
}

const exec: Started = { kind: "exec", execIds: ["exec1"] };

test("a restart has succeeded when the new process has lived for the settle time", async () => {
  const engine = new FakeEngine();
  const chosen = { driver: "respawn" as const, plan: planned(exec) };
  const answer = await carryOut(chosen, makeTargets(), 0.2, world(engine, new Set([50])));
  expect(answer).toMatchObject({ old: ["42@7"], new: ["50@9"], driver: "respawn", dryRun: false });
  expect(answer.seconds).toBeGreaterThanOrEqual(0.2);
});

test("a new process that exits is a failure that says with which code and what runs now", async () => {
  const engine = new FakeEngine();
  engine.status = { running: false, pid: null, exitCode: 3 };
  const chosen = { driver: "respawn" as const, plan: planned(exec) };
  const error = await failure(carryOut(chosen, makeTargets(), 0.1, world(engine, new Set())));
  expect(error.code).toBe("failed");
  expect(error.message).toContain("exited with code 3");
  expect(error.details).toMatchObject({ old: ["42@7"], running: ["40@7 init"] });
});

test("what went otherwise than planned is in the answer, and in the message of a failure", async () => {
  const engine = new FakeEngine();
  const plan: RestartPlan = {
    ...planned(exec),
    warnings: ["a doubt"],
    run: async (note) => {
      note("it was slow");
      return exec;
    },
  };
  const chosen = { driver: "label" as const, plan };
  const answer = await carryOut(chosen, makeTargets(), 0.1, world(engine, new Set([50])));
  expect(answer.warnings).toEqual(["a doubt", "it was slow"]);
  engine.status = { running: false, pid: null, exitCode: 3 };
  const error = await failure(carryOut(chosen, makeTargets(), 0.1, world(engine, new Set())));
  expect(error.message).toMatch(/exited with code 3; it was slow; running in web now/);
});

test("a start command that puts the program into the background is found by the program's name", async () => {
  const engine = new FakeEngine();
  engine.status = { running: false, pid: null, exitCode: 0 };
  let scans = 0;
  const processesOf = async (): Promise<readonly TargetProcess[]> =>
    scans++ === 0 ? [makeTarget(42)] : [makeTarget(60, { ref: { pid: 60, startTicks: 9 } })];
  const chosen = { driver: "label" as const, plan: planned(exec) };
  const answer = await carryOut(chosen, makeTargets(), 0.1, world(engine, new Set([60]), { processesOf }));
  expect(answer.new).toEqual(["60@9"]);
});

test("a container that was removed meanwhile is a failure, at once", async () => {
  const started: Started = { kind: "container", containerId: "web", oldInitPid: 40 };
  const inspect = async (): Promise<Container | undefined> => undefined;
  const chosen = { driver: "container" as const, plan: planned(started) };
  const error = await failure(
    carryOut(chosen, makeTargets(), 0.1, world(new FakeEngine(), new Set(), { inspect })),
  );
  expect(error.message).toContain("was removed meanwhile");
});

test("a container that ends again is a failure, at once, with its exit code", async () => {
  const started: Started = { kind: "container", containerId: "web", oldInitPid: 40 };
  const inspect = async (): Promise<Container> => ({ ...web, state: "exited", initPid: null, exitCode: 3 });
  const chosen = { driver: "container" as const, plan: planned(started) };
  const error = await failure(
    carryOut(chosen, makeTargets(), 0.1, world(new FakeEngine(), new Set(), { inspect })),
  );
  expect(error.message).toContain("exited with code 3");
});

test("a restarted container is known by its new init", async () => {
  const started: Started = { kind: "container", containerId: "web", oldInitPid: 40 };
  let looks = 0;
  const inspect = async () => ({ ...web, initPid: looks++ === 0 ? 40 : 70 });
  const chosen = { driver: "container" as const, plan: planned(started) };
  const answer = await carryOut(
    chosen,
    makeTargets(),
    0.1,
    world(new FakeEngine(), new Set([40, 70]), { inspect }),
  );
  expect(answer.new).toEqual(["70@9"]);
});

test("the first driver with a plan is taken, a named one alone, and none is an error with all reasons", async () => {
  const no: RestartDriver = { name: "label", plan: async () => ({ reason: "no label" }) };
  const yes: RestartDriver = { name: "respawn", plan: async () => ({ plan: planned(exec) }) };
  expect(await choosePlan(makeTargets(), [no, yes], undefined)).toMatchObject({ driver: "respawn" });
  const error = await failure(choosePlan(makeTargets(), [no, yes], "label"));
  expect(error).toMatchObject({ code: "not_restartable", details: { reasons: ["label: no label"] } });
  expect(await describeOutlook(makeTargets(), [no])).toMatchObject({ driver: null });
});

const labelling: Pick<LabelParts, "stopByCommand" | "showCommand"> = {
  stopByCommand: async () => {
    throw new Error("no command is to be run");
  },
  showCommand: (argv) => argv,
};

test.each([
  ["httpd -f -p '80 81'", ["httpd", "-f", "-p", "80 81"]],
  ['["httpd", "-f", ""]', ["httpd", "-f", ""]],
])("the label's command %s is run without a shell", async (command, argv) => {
  const engine = new FakeEngine();
  const stopped: string[] = [];
  const driver = createLabelDriver({
    ...labelling,
    actionsOf: () => engine,
    stop: async ({ processes }) => {
      stopped.push(...processes.map((process) => process.name));
      return [];
    },
  });
  const container = makeContainer("web", { initPid: 40, labels: { "pidward.program.httpd.start": command } });
  const planning = await driver.plan(makeTargets({ container }));
  if (!("plan" in planning)) throw new Error(planning.reason);
  expect(stopped).toEqual([]);
  await planning.plan.run(() => {});
  expect(stopped).toEqual(["httpd"]);
  expect(engine.started.map((request) => request.argv)).toEqual([argv]);
});

test.each([
  ["a label that is no JSON array of strings", '["httpd", 1]', makeTargets()],
  ["an empty label", "  ", makeTargets()],
  ["the container's init", "httpd", makeTargets({ processes: [makeTarget(40, { init: true })] })],
])("%s gives no plan by label", async (_, command, targets) => {
  const driver = createLabelDriver({
    ...labelling,
    actionsOf: () => new FakeEngine(),
    stop: async () => [],
  });
  const container = makeContainer("web", { labels: { "pidward.program.httpd.start": command } });
  expect(await driver.plan({ ...targets, container })).toHaveProperty("reason");
});

test("the container is restarted for itself and for its init, and for nothing else", async () => {
  const engine = new FakeEngine();
  const driver = createContainerDriver({ actionsOf: () => engine });
  expect(await driver.plan(makeTargets())).toHaveProperty("reason");
  expect(await driver.plan(makeTargets({ kind: "container", program: null }))).toHaveProperty("plan");
  const init = makeTargets({ kind: "process", processes: [makeTarget(40, { init: true })] });
  const planning = await driver.plan(init);
  if ("plan" in planning) await planning.plan.run(() => {});
  expect(engine.restarted).toEqual(["web"]);
  const paused = makeTargets({ kind: "container", container: { ...web, state: "paused" } });
  expect(await driver.plan(paused)).toMatchObject({ reason: expect.stringContaining("paused") });
});
