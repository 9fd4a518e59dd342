import { expect, test } from "@jest/globals";
import { inspectingOnce, type MembershipParts, refuseStranger } from "../../agent/control/membership.ts";
import { AgentError } from "../../agent/errors.ts";
import { findTargets } from "../../agent/inventory/targets.ts";
import { makeContainer, makeSnapshot } from "../inventory/table.ts";

const web = makeContainer("web", { initPid: 40 });
const outer = makeContainer("outer", { initPid: 70 });

const snapshot = makeSnapshot(
  [
    { pid: 1, parentPid: 0, name: "systemd" },
    { pid: 5, name: "pidward" },
    { pid: 8, name: "shim" },
    { pid: 40, parentPid: 8, name: "init", container: "web" },
    { pid: 41, parentPid: 40, name: "worker", container: "web" },
    // It has unshared both namespaces.
    { pid: 42, parentPid: 41, name: "sandbox", container: "web" },
    { pid: 60, name: "stranger", container: "web" },
    { pid: 70, parentPid: 8, name: "dockerd", container: "outer" },
    { pid: 71, parentPid: 70, name: "inner-shim", container: "outer" },
    { pid: 80, parentPid: 71, name: "inner-init", container: "inner" },
    { pid: 81, parentPid: 80, name: "inner-job", container: "inner" },
    { pid: 90, name: "moved", container: "inner" },
  ],
  [web, outer],
);

/** Namespaces by PID; all others are in the host's. */
const namespaces: Readonly<Record<number, string>> = {
  40: "web",
  41: "web",
  42: "sandbox",
  70: "outer",
  71: "outer",
  80: "inner",
  81: "inner",
};

const warnings: string[] = [];

function parts(facts: Partial<MembershipParts> = {}): MembershipParts {
  return {
    agentPid: 5,
    inspect: async (container) => container,
    readNamespace: (pid, kind) => `${kind}:[${namespaces[pid] ?? "host"}]`,
    log: { warn: (message) => void warnings.push(message) },
    ...facts,
  };
}

async function judge(pid: number, authority = web, facts: Partial<MembershipParts> = {}) {
  const [target] = findTargets(String(pid), snapshot, () => authority).processes;
  if (target === undefined) throw new Error(`no ${pid}`);
  return refuseStranger(target, snapshot, parts(facts));
}

test("the container's own processes are its own, those with namespaces of their own too", async () => {
  for (const pid of [40, 41, 42]) expect(await judge(pid)).toBeUndefined();
});

test("a process that was moved into the container's cgroup is a stranger", async () => {
  expect(await judge(60)).toBe(
    "60@600 (stranger) sits in the cgroup of container web, but shares none of its namespaces",
  );
});

test("what an engine in a container has started is that container's; what was moved there is not", async () => {
  for (const pid of [80, 81]) expect(await judge(pid, outer)).toBeUndefined();
  expect(await judge(90, outer)).toContain("shares none of its namespaces");
});

test("a namespace that the container shares with the host tells nothing", async () => {
  const shared = (pid: number, kind: "mnt" | "pid"): string =>
    kind === "pid" ? "pid:[host]" : `mnt:[${namespaces[pid] ?? "host"}]`;
  expect(await judge(41, web, { readNamespace: shared })).toBeUndefined();
  expect(await judge(60, web, { readNamespace: shared })).toContain("none of its namespaces");
});

test("the runtime's word counts: unknown, stopped, and restarted with another init", async () => {
  expect(await judge(41, web, { inspect: async () => undefined })).toContain("does not know container web");
  const stopped = { ...web, initPid: null };
  expect(await judge(41, web, { inspect: async () => stopped })).toContain("does not run");
  const renewed = { ...web, initPid: 70 };
  expect(await judge(41, web, { inspect: async () => renewed })).toContain("none of its namespaces");
});

test("an engine that does not answer is no reason to refuse what it has confirmed before", async () => {
  const inspect = async (): Promise<never> => {
    throw new AgentError("unavailable", "no answer");
  };
  expect(await judge(41, web, { inspect })).toBeUndefined();
  expect(warnings).toContain("acting on what the runtime said earlier");
});

test("in one act an engine is asked once for a container, also when it does not answer", async () => {
  let asked = 0;
  const before = warnings.length;
  const away = async (): Promise<never> => {
    asked++;
    throw new AgentError("unavailable", "the engine is away");
  };
  const once = inspectingOnce(parts({ inspect: away }));
  for (const pid of [40, 41, 60]) {
    const [target] = findTargets(String(pid), snapshot, () => web).processes;
    if (target === undefined) throw new Error(`no ${pid}`);
    const reason = await refuseStranger(target, snapshot, once);
    expect(reason === undefined).toBe(pid !== 60);
  }
  expect([asked, warnings.length - before]).toEqual([1, 1]);
});
