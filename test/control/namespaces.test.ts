import { expect, test } from "@jest/globals";
import { findCgroupEntries } from "../../agent/control/cgroup-entry.ts";
import { createNamespacesDriver, type NamespacesParts } from "../../agent/control/drivers/namespaces.ts";
import type { EntryOrder } from "../../agent/control/entry-order.ts";
import {
  findNamespaces,
  lackOfRights,
  namespaceLosses,
  type ProcessTraits,
} from "../../agent/control/namespace-plan.ts";
import { AgentError } from "../../agent/errors.ts";
import type { TargetProcess, Targets } from "../../agent/model.ts";
import type { CgroupLayout } from "../../agent/source/cgroupfs/layout.ts";
import { type Privileges, parsePrivileges } from "../../agent/source/procfs/privileges.ts";
import { makeContainer } from "../inventory/table.ts";
import { failure } from "../support/failure.ts";

const all = (1n << 41n) - 1n;
const dockers = 0xa80425fbn;

const privileges: Privileges = {
  umask: 0o22,
  inheritable: 0n,
  permitted: dockers,
  effective: dockers,
  bounding: dockers,
  ambient: 0n,
  noNewPrivileges: false,
  seccomp: 2,
  seccompFilters: 1,
};

function traits(facts: Partial<ProcessTraits> = {}): ProcessTraits {
  const limits = [{ name: "Max open files", soft: 10, hard: 100, unit: "files" }];
  return { privileges, limits, nice: 0, oomScoreAdjust: 0, securityLabel: "", ...facts };
}

const rootAgent = traits({ privileges: { ...privileges, permitted: all, effective: all, bounding: all } });

test("rights are read of /proc/PID/status", () => {
  const text = [
    "Name:\thttpd",
    "Umask:\t0027",
    "CapInh:\t0000000000000400",
    "CapPrm:\t00000000a80425fb",
    "CapEff:\t0000000000000000",
    "CapBnd:\t000001ffffffffff",
    "CapAmb:\t0000000000000400",
    "NoNewPrivs:\t1",
    "Seccomp:\t2",
    "Seccomp_filters:\t3",
    "",
  ];
  expect(parsePrivileges(text.join("\n"))).toEqual({
    umask: 0o27,
    inheritable: 1024n,
    permitted: dockers,
    effective: 0n,
    bounding: all,
    ambient: 1024n,
    noNewPrivileges: true,
    seccomp: 2,
    seccompFilters: 3,
  });
  expect(parsePrivileges(text.filter((line) => !line.startsWith("Seccomp_")).join("\n"))).toMatchObject({
    seccomp: 2,
    seccompFilters: 1,
  });
});

test.each(["Umask", "CapInh", "CapBnd", "CapAmb", "NoNewPrivs"])("rights without %s are none", (missing) => {
  const lines = ["Umask:\t0022", "CapInh:\t0", "CapPrm:\t0", "CapEff:\t0", "CapBnd:\t0", "CapAmb:\t0"];
  const text = [...lines, "NoNewPrivs:\t0"].filter((line) => !line.startsWith(missing)).join("\n");
  expect(parsePrivileges(text)).toBeUndefined();
});

const v1: CgroupLayout = { version: "hybrid", root: "/cg" };
const v2: CgroupLayout = { version: "v2", root: "/cg" };
const everywhere = (): boolean => true;

test("of every cgroup hierarchy the folder is found, of the unified one and of named ones too", () => {
  const ofInit = "4:cpu,cpuacct:/docker/a\n3:memory:/docker/a\n2:name=systemd:/docker/a\n0::/\n";
  const old = ofInit.replace("memory:/docker/a", "memory:/docker/a/web.service");
  const own = "4:cpu,cpuacct:/\n3:memory:/\n2:name=systemd:/\n0::/\n";
  const isThere = (folder: string): boolean =>
    !folder.startsWith("/cg/cpu,cpuacct") && folder !== "/cg/name=systemd";
  expect(findCgroupEntries({ old, init: ofInit, own }, v1, isThere)).toEqual([
    { hierarchy: "cpu,cpuacct", folders: ["/cg/cpu/docker/a"] },
    { hierarchy: "memory", folders: ["/cg/memory/docker/a/web.service", "/cg/memory/docker/a"] },
    { hierarchy: "name=systemd", folders: ["/cg/systemd/docker/a"] },
  ]);
});

test("a v2 host has one hierarchy", () => {
  const text = "0::/system.slice/docker-a.scope\n";
  const texts = { old: text, init: text, own: "0::/system.slice/pidward.service\n" };
  expect(findCgroupEntries(texts, v2, everywhere)).toEqual([
    { hierarchy: "", folders: ["/cg/system.slice/docker-a.scope"] },
  ]);
});

test.each([
  ["beside the container", "0::/docker/ab\n", "0::/docker/a\n", everywhere, "not below /docker/a"],
  ["below the root where its init is", "0::/x\n", "0::/\n", everywhere, "not below / "],
  ["outside of the agent's cgroup namespace", "0::/../a\n", "0::/../a\n", everywhere, "cannot be reached"],
  ["that is not mounted", "0::/a\n", "0::/a\n", () => false, "cannot be reached"],
  ["unknown to its init", "0::/a\n", "1:cpu:/a\n", everywhere, "init is not in"],
])("a cgroup %s is a reason", (_, old, init, isThere, reason) => {
  expect(findCgroupEntries({ old, init, own: "0::/own\n" }, v2, isThere)).toEqual({
    reason: expect.stringContaining(reason),
  });
});

/** Links of the old process (42), its container's init (40) and the agent (7). */
function linksWith(changed: Readonly<Record<string, string>> = {}) {
  return (pid: number, name: string): string | undefined => {
    const own = changed[`${pid} ${name}`];
    if (own !== undefined) return own;
    if (name === "root") return "/";
    const kind = name.replace("ns/", "");
    const apart = ["mnt", "pid", "uts"].includes(kind) && pid !== 7;
    return `${kind}:[${apart ? 200 + kind.length : 100}]`;
  };
}

test("the namespaces that are not the agent's own are entered, the mount namespace last", () => {
  expect(findNamespaces(42, 40, 7, linksWith())).toEqual([
    { kind: "uts", inode: 203 },
    { kind: "pid", inode: 203 },
    { kind: "mnt", inode: 203 },
  ]);
});

test.each([
  ["a user namespace", { "42 ns/user": "user:[5]", "40 ns/user": "user:[5]" }, "user namespace"],
  ["a time namespace", { "42 ns/time": "time:[5]", "40 ns/time": "time:[5]" }, "time namespace"],
  ["another mount namespace than the init's", { "42 ns/mnt": "mnt:[5]" }, "another mnt namespace"],
  ["another PID namespace than the init's", { "42 ns/pid": "pid:[5]" }, "another pid namespace"],
  ["another root", { "42 root": "/srv/jail" }, "chroot"],
  ["the host's mounts", { "42 ns/mnt": "mnt:[100]", "40 ns/mnt": "mnt:[100]" }, "no mount namespace"],
])("a process with %s is not started so", (_, changed, reason) => {
  expect(findNamespaces(42, 40, 7, linksWith(changed))).toEqual({ reason: expect.stringContaining(reason) });
});

test("an agent without the capabilities says which it lacks", () => {
  expect(lackOfRights(rootAgent.privileges)).toBeUndefined();
  expect(lackOfRights({ ...privileges, effective: all & ~(1n << 18n) & ~(1n << 21n) })).toBe(
    "the agent lacks CAP_SYS_CHROOT, CAP_SYS_ADMIN",
  );
});

test("what is not carried over is said", () => {
  const plain = namespaceLosses(traits(), rootAgent);
  expect(plain).toEqual([expect.stringContaining("stdout"), expect.stringContaining("parent")]);
  const weak = traits({ privileges: { ...privileges, bounding: all & ~(1n << 24n) } });
  const old = traits({
    privileges: { ...privileges, bounding: all, seccompFilters: 2 },
    securityLabel: "docker-default (enforce)",
    nice: -5,
    oomScoreAdjust: -10,
    limits: [{ name: "Max open files", soft: 10, hard: null, unit: "files" }],
  });
  expect(namespaceLosses(old, weak).slice(plain.length)).toEqual([
    expect.stringContaining("of 2 seccomp filters"),
    expect.stringContaining('not as "docker-default (enforce)"'),
    expect.stringContaining("missing to it: 24 of"),
    expect.stringContaining("nice -5"),
    expect.stringContaining("oom_score_adj -10"),
    expect.stringContaining("Max open files"),
  ]);
});

const web = makeContainer("web", { initPid: 40 });

function target(pid: number, facts: Partial<TargetProcess> = {}): TargetProcess {
  const base = { name: "httpd", parentPid: 40, kernelThread: false, program: "httpd", init: false };
  return { ref: { pid, startTicks: 7 }, container: web, authority: web, ...base, ...facts };
}

function targets(facts: Partial<Targets> = {}): Targets {
  const base = { kind: "program" as const, container: web, program: "httpd", descendants: [] };
  return { selector: "web/httpd", processes: [target(42), target(43)], ...base, ...facts };
}

const order: EntryOrder = {
  procRoot: "/proc",
  oldPid: 42,
  initPid: 40,
  namespaces: [],
  cgroups: [],
  argv: ["httpd"],
  env: {},
  workdir: "/srv",
  uid: 0,
  gid: 0,
  groups: [],
  inheritable: "0",
  bounding: "0",
  ambient: "0",
  noNewPrivileges: false,
  seccomp: false,
  umask: 0,
  nice: 0,
  oomScoreAdjust: 0,
  limits: [],
};

/** A driver whose steps are noted in the order in which they come. */
function driverWith(facts: Partial<NamespacesParts> = {}) {
  const steps: string[] = [];
  const driver = createNamespacesDriver({
    readCommand: () => ["/bin/httpd"],
    readEnviron: () => ["PATH=/bin"],
    readWorkdir: () => "/srv",
    readIds: () => ({ uid: 0, gid: 0, groups: [] }),
    filesOf: () => ({ read: () => undefined, isExecutable: () => true, isFolder: () => true }),
    allowed: true,
    orderFor: ({ of }) => ({ order: { ...order, oldPid: of.ref.pid }, warnings: ["a loss"] }),
    prepare: async ({ oldPid }) => {
      steps.push(`prepare ${oldPid}`);
      return {
        start: async () => {
          steps.push(`start ${oldPid}`);
          return oldPid + 100;
        },
        cancel: () => steps.push(`end ${oldPid}`),
      };
    },
    stop: async () => {
      steps.push("stop");
      return [];
    },
    isInside: () => true,
    showCommand: (argv) => argv,
    ...facts,
  });
  return { driver, steps };
}

test("everything is made ready before the old processes are stopped", async () => {
  const { driver, steps } = driverWith();
  const planning = await driver.plan(targets());
  if (!("plan" in planning)) throw new Error(planning.reason);
  expect(planning.plan.text).toContain('through the namespaces of web: stop httpd and run ["/bin/httpd"]');
  expect(planning.plan.warnings).toEqual(["a loss"]);
  expect(steps).toEqual([]);
  const started = await planning.plan.run(() => {});
  expect(started.kind === "processes" && (await started.pids())).toEqual([142, 143]);
  expect(steps).toEqual(["prepare 42", "prepare 43", "stop", "start 42", "start 43", "end 42", "end 43"]);
});

test("what cannot be made ready stops nothing", async () => {
  const prepared: string[] = [];
  const { driver, steps } = driverWith({
    prepare: async ({ oldPid }) => {
      if (oldPid === 43) throw new AgentError("failed", "entering the pid namespace was refused: EPERM");
      return { start: async () => 1, cancel: () => prepared.push(`end ${oldPid}`) };
    },
  });
  const planning = await driver.plan(targets());
  if (!("plan" in planning)) throw new Error(planning.reason);
  expect((await failure(planning.plan.run(() => {}))).message).toContain("EPERM");
  expect({ steps, prepared }).toEqual({ steps: [], prepared: ["end 42"] });
});

test("a new process that is not in the container is a failure", async () => {
  const planning = await driverWith({ isInside: () => false }).driver.plan(targets());
  if (!("plan" in planning)) throw new Error(planning.reason);
  expect((await failure(planning.plan.run(() => {}))).message).toContain("142 is not in the container");
});

test.each<[string, Partial<NamespacesParts>, Partial<Targets>, string]>([
  ["off", { allowed: false }, {}, "--control.allow-namespaces would allow it"],
  ["asked for a host process", {}, { container: null }, "no container"],
  ["without a process", {}, { processes: [] }, "no process of web/httpd"],
  ["asked for the init", {}, { processes: [target(40, { init: true })] }, "the init of web"],
  ["asked in a paused container", {}, { container: makeContainer("web", { state: "paused" }) }, "paused"],
  ["without the init's PID", {}, { container: makeContainer("web") }, "init of web is not known"],
  ["in doubt", { readCommand: () => [] }, {}, "empty"],
  ["unable", { orderFor: () => ({ reason: "it is frozen" }) }, {}, "42@7 (httpd) cannot be restarted so"],
])("the driver has no plan when it is %s", async (_, facts, changed, reason) => {
  const planning = await driverWith(facts).driver.plan(targets(changed));
  expect(planning).toEqual({ reason: expect.stringContaining(reason) });
});
