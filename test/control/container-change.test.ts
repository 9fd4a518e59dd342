import { expect, test } from "@jest/globals";
import { changeBetween } from "../../agent/control/container-change.ts";
import type { RestartDriver } from "../../agent/control/drivers/driver.ts";
import { choosePlan, runtimeObstacle } from "../../agent/control/restart.ts";
import { type SettleParts, settle } from "../../agent/control/settle.ts";
import { AgentError } from "../../agent/errors.ts";
import type { Container, Targets } from "../../agent/model.ts";
import { makeContainer } from "../inventory/table.ts";
import { failure } from "../support/failure.ts";

const web = makeContainer("web", { initPid: 40 });
const targets: Targets = {
  selector: "web/httpd",
  kind: "program",
  container: web,
  program: "httpd",
  processes: [],
  descendants: [],
};

test.each([
  ["container web was removed meanwhile", undefined],
  ["container web is being removed", { ...web, state: "removing" }],
  [
    "container web was paused meanwhile: what was begun goes on when it is unpaused",
    { ...web, state: "paused" },
  ],
  [
    "container web has ended meanwhile, with code 137",
    { ...web, state: "exited", initPid: null, exitCode: 137 },
  ],
  ["container web was restarted meanwhile", { ...web, initPid: 41 }],
] as const)("it is said that %s", (text, now) => {
  expect(changeBetween(web, now)?.text).toBe(text);
});

test("a container that runs as before has not changed", () => {
  expect(changeBetween(web, { ...web })).toBeUndefined();
});

const silent = async (): Promise<Container | undefined> => {
  throw new AgentError("unavailable", "no answer within 5 s");
};

test("a plan that the runtime carries out is none while that does not answer, and the next driver is asked", async () => {
  const plan = {
    text: "a plan",
    warnings: [],
    stops: [],
    run: () => Promise.reject(new Error("it was run")),
  };
  const byEngine: RestartDriver = { name: "respawn", byRuntime: true, plan: async () => ({ plan }) };
  const without: RestartDriver = { name: "runit", plan: async () => ({ plan }) };
  const away = runtimeObstacle({ inspect: silent });
  expect(await choosePlan(targets, [byEngine, without], undefined, away)).toMatchObject({
    driver: "runit",
  });
  expect(await failure(choosePlan(targets, [byEngine], undefined, away))).toMatchObject({
    code: "unavailable",
    message: "web/httpd cannot be restarted: respawn: no answer within 5 s",
  });
  const gone = runtimeObstacle({ inspect: async () => undefined });
  expect((await failure(choosePlan(targets, [byEngine], undefined, gone))).message).toContain(
    "does not know web",
  );
});

/** A world in which PID 50 lives for ever. */
const parts = (inspect: SettleParts["inspect"]): SettleParts => ({
  syscalls: undefined,
  readStat: (pid) => (pid === 50 ? { startTicks: 9, state: "D".charCodeAt(0) } : undefined),
  monotonicMs: () => performance.now(),
  actionsOf: () => undefined,
  inspect,
  processesOf: async () => [],
});
const expected = { container: web, program: "httpd", before: new Set<string>(), settleSeconds: 0.1 };
const started = { kind: "processes", pids: async () => [50] } as const;

test("a process that is frozen has not settled", async () => {
  const error = await failure(
    settle(
      started,
      expected,
      parts(async () => ({ ...web, state: "paused" })),
    ),
  );
  expect(error).toMatchObject({ code: "failed", message: expect.stringContaining("was paused meanwhile") });
});

test("without an answer of the engine, what is seen of the process counts", async () => {
  expect(await settle(started, expected, parts(silent))).toEqual(["50@9"]);
});
