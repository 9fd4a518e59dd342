import { beforeEach, expect, test } from "@jest/globals";
import { createManagerDrivers } from "../../agent/control/drivers/manager.ts";
import { choosePlan } from "../../agent/control/restart.ts";
import { AgentError } from "../../agent/errors.ts";
import { findTargets } from "../../agent/inventory/targets.ts";
import type { ManagedProgram, Manager, ManagerKind } from "../../agent/managers/manager.ts";
import { makeContainer, makeSnapshot } from "../inventory/table.ts";
import { failure } from "../support/failure.ts";

const web = makeContainer("web", { initPid: 40, labels: { "pidward.program.job.match": "job" } });
const snapshot = makeSnapshot(
  [
    { pid: 1, parentPid: 0 },
    { pid: 8 },
    { pid: 40, parentPid: 8, name: "init", container: "web" },
    { pid: 50, parentPid: 40, name: "boss", container: "web" },
    // Two main processes of one name, one of them with a worker.
    { pid: 60, parentPid: 50, name: "job", container: "web" },
    { pid: 61, parentPid: 50, name: "job", container: "web" },
    { pid: 62, parentPid: 61, name: "work", container: "web" },
    { pid: 70, parentPid: 40, name: "lone", container: "web" },
  ],
  [web],
);

/** A manager that counts how often it is asked. */
class FakeManager implements Manager {
  readonly kind: ManagerKind;
  readonly ref: Manager["ref"];
  readonly restarted: string[] = [];
  asked = 0;
  fails = false;
  private readonly programs: Readonly<Record<string, number | null>>;

  constructor(kind: ManagerKind, pid: number, programs: Readonly<Record<string, number | null>>) {
    this.kind = kind;
    this.ref = { pid, startTicks: pid * 10 };
    this.programs = programs;
  }
  async list(): Promise<readonly ManagedProgram[]> {
    this.asked++;
    if (this.fails) throw new AgentError("unavailable", `${this.kind} is silent`);
    return Object.entries(this.programs).map(([name, pid]) => ({
      name,
      pid,
      state: "up",
      condition: "running",
      remark: null,
    }));
  }
  async restart(program: string): Promise<void> {
    this.restarted.push(program);
  }
  async stop(): Promise<void> {}
  describeRestart(program: string): string {
    return `${this.kind}: restart ${program}`;
  }
}

let supervisord: FakeManager;
let runit: FakeManager;
let searches: number;
beforeEach(() => {
  supervisord = new FakeManager("supervisord", 40, { other: 99 });
  runit = new FakeManager("runit", 50, { one: 60, two: 61, idle: null });
  searches = 0;
});

/** The plan of the drivers for all managers, in their order. */
function plan(selector: string) {
  const drivers = createManagerDrivers({
    managersIn: () => {
      searches++;
      return [supervisord, runit];
    },
    snapshot: () => snapshot,
  });
  return choosePlan(
    findTargets(selector, snapshot, () => web),
    drivers,
    undefined,
  );
}

test("one plan looks for the managers once and asks each once, whatever its kind and however many processes", async () => {
  const { driver, plan: chosen } = await plan("web/job");
  expect(driver).toBe("runit");
  expect(chosen.text).toBe("runit: restart one; runit: restart two");
  expect([searches, supervisord.asked, runit.asked]).toEqual([1, 1, 1]);
  const started = await chosen.run(() => {});
  expect(runit.restarted).toEqual(["one", "two"]);
  expect(started.kind === "processes" && (await started.pids())).toEqual([60, 61]);
  await plan("web/job");
  expect(searches).toBe(2);
});

test("a worker is its program's, and what no manager runs has no plan", async () => {
  expect((await plan("62")).plan.text).toBe("runit: restart two");
  const none = await failure(plan("70"));
  expect(none.message).toContain("70@700 (lone) is not a process of one of its programs");
  expect(none.message).toContain("no s6 runs in web");
});

test("a manager above the target that does not answer is a failure; one elsewhere is a reason", async () => {
  runit.fails = true;
  expect(await failure(plan("60"))).toMatchObject({
    code: "failed",
    message: "60 belongs to runit in web, which does not answer: runit is silent",
  });
  const elsewhere = new FakeManager("runit", 70, {});
  elsewhere.fails = true;
  runit = elsewhere;
  expect(await failure(plan("60"))).toMatchObject({ code: "not_restartable" });
});
