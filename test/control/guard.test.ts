import { describe, expect, test } from "@jest/globals";
import { createGuard } from "../../agent/control/guard.ts";
import { findTargets } from "../../agent/inventory/targets.ts";
import { type Container, kernelThreadFlag, type TargetProcess } from "../../agent/model.ts";
import { makeContainer, makeSnapshot, type TestProcess } from "../inventory/table.ts";

const containers = [makeContainer("web", { initPid: 40 })];
const snapshot = makeSnapshot(
  [
    { pid: 1, parentPid: 0, name: "systemd" },
    { pid: 2, parentPid: 0, name: "kthreadd", flags: kernelThreadFlag },
    { pid: 3, parentPid: 2, name: "kworker/0:1", flags: kernelThreadFlag },
    { pid: 5, name: "bash" },
    { pid: 6, parentPid: 5, name: "pidward" },
    { pid: 7, name: "dockerd" },
    { pid: 8, name: "renamed-shim" },
    { pid: 9, name: "cron" },
    { pid: 40, parentPid: 8, name: "init", container: "web" },
    { pid: 41, parentPid: 40, name: "dockerd", container: "web" },
    { pid: 50, name: "ghost", container: "nobody" },
  ],
  containers,
);

function target(pid: number): TargetProcess {
  const authorityOf = (text: string) => containers.find((container) => container.id === text) ?? null;
  const [found] = findTargets(String(pid), snapshot, authorityOf).processes;
  if (found === undefined) throw new Error(`no ${pid}`);
  return found;
}

/** In most of these trees a cgroup's text is a container's id; where containers are nested, ids divided by slashes. */
const nestingOf = (text: string): readonly string[] => text.split("/").filter((id) => id !== "");
const guard = createGuard({ agentPid: 6, allowHost: false, readOnly: false, nestingOf });
const openGuard = createGuard({ agentPid: 6, allowHost: true, readOnly: false, nestingOf });

test.each([
  [1, "1@10 (systemd) is the host's PID 1"],
  [2, "2@20 (kthreadd) is a kernel thread"],
  [3, "3@30 (kworker/0:1) is a kernel thread"],
  [5, "5@50 (bash) is an ancestor of pidward"],
  [6, "6@60 (pidward) is pidward itself"],
  [7, "7@70 (dockerd) is a container runtime or its shim"],
  [8, "8@80 (renamed-shim) is the runtime's process that keeps container web"],
])("PID %i is refused, also where host processes are allowed", (pid, reason) => {
  expect(guard.refuse(target(pid), snapshot)).toBe(reason);
  expect(openGuard.refuse(target(pid), snapshot)).toBe(reason);
});

test("a process of the host is refused unless that is allowed", () => {
  expect(guard.refuse(target(9), snapshot)).toContain("--control.allow-host");
  expect(openGuard.refuse(target(9), snapshot)).toBeUndefined();
});

test("a container's processes are allowed, whatever they are called", () => {
  expect(guard.refuse(target(40), snapshot)).toBeUndefined();
  expect(guard.refuse(target(41), snapshot)).toBeUndefined();
});

test("what only looks like a container's process is refused", () => {
  expect(openGuard.refuse(target(50), snapshot)).toContain("no runtime knows that id");
});

test("a read-only agent refuses everything", () => {
  expect(createGuard({ agentPid: 6, allowHost: true, readOnly: true, nestingOf }).refuseAll()).toContain(
    "read-only",
  );
  expect(guard.refuseAll()).toBeUndefined();
});

test("a read-only agent refuses containers too, and so does one that no runtime knows", () => {
  const [web = makeContainer("web")] = containers;
  const readOnly = createGuard({ agentPid: 6, allowHost: true, readOnly: true, nestingOf });
  expect(readOnly.refuseContainer(web)).toContain("read-only");
  expect(guard.refuseContainer(web)).toBeUndefined();
  expect(guard.refuseContainer({ ...web, known: false })).toContain("no runtime knows that id");
});

/** A container `box` with these labels: init 40 > supervisor 41 > db 42 > helper 43, and web 44 below the init. */
function refusals(labels: Readonly<Record<string, string>>): Readonly<Record<number, string | undefined>> {
  const box = makeContainer("box", { initPid: 40, labels: { "pidward.program.db.match": "db*", ...labels } });
  const inside = (pid: number, parentPid: number, name: string): TestProcess => ({
    pid,
    parentPid,
    name,
    container: "box",
  });
  const tree = makeSnapshot(
    [
      { pid: 1, parentPid: 0, name: "systemd" },
      { pid: 8, name: "shim" },
      inside(40, 8, "init"),
      inside(41, 40, "boss"),
      inside(42, 41, "db"),
      inside(43, 42, "helper"),
      inside(44, 40, "web"),
    ],
    [box],
  );
  const { processes, descendants } = findTargets("box", tree, () => box);
  const all = [...processes, ...descendants];
  return Object.fromEntries(all.map((one) => [one.ref.pid, guard.refuse(one, tree)]));
}

test.each(["true", "1", "yes", "YES", " True "])(
  "the label pidward.protect=%j protects all in it",
  (value) => {
    const protect = { "pidward.protect": value };
    const reasons = Object.values(refusals(protect));
    expect(reasons).toHaveLength(5);
    for (const reason of reasons) expect(reason).toContain("protected by its label pidward.protect");
    expect(guard.refuseContainer(makeContainer("box", { labels: protect }))).toBe(
      "container box is protected by its label pidward.protect",
    );
  },
);

test.each(["false", "0", "no", "", "truely", "true\u0000", "2", "tru\u0435"])(
  "a label of the value %j protects nothing",
  (value) => {
    const labels = { "pidward.protect": value, "pidward.program.db.protect": value };
    expect(Object.values(refusals(labels))).toEqual(Array.from({ length: 5 }, () => undefined));
  },
);

test("a protected program keeps its processes, what holds them and the container's init", () => {
  const reasons = refusals({ "pidward.program.db.protect": "yes" });
  const label = 'protected by the label "pidward.program.db.protect" of container box';
  expect(reasons[42]).toBe(`42@420 (db): it is of program "db", which is ${label}`);
  expect(reasons[43]).toContain('it is of program "db"');
  expect(reasons[40]).toBe(
    `40@400 (init): it is the container's init, and would take down program "db", which is ${label}`,
  );
  expect(reasons[41]).toBe(`41@410 (boss): below it are processes of program "db", which is ${label}`);
  expect(reasons[44]).toBeUndefined();
  const open = makeContainer("box", { labels: { "pidward.program.db.protect": "yes" } });
  expect(guard.refuseContainer(open)).toBeUndefined();
});

test("hostile labels are quoted, cut, and change nothing else", () => {
  const name = `x\u001b[2J\n${"y".repeat(10_000)}`;
  const reasons = refusals({
    [`pidward.program.${name}.protect`]: "true",
    "pidward.program..protect": "true",
    "pidward.program.protect": "true",
    __proto__: "true",
    "pidward.program.__proto__.protect": "false",
  });
  expect(reasons[40]).toMatch(/program "x\\u001b\[2J\\ny+", which/);
  expect(reasons[40]?.length).toBeLessThan(600);
  expect(reasons[44]).toBeUndefined();
});

describe("nested containers", () => {
  const outer = makeContainer("outer", { initPid: 40 });
  const inner = makeContainer("inner", { initPid: 50 });

  /** What the guard says of PID 60, in a cgroup of these ids, where the init of `inner` is in a cgroup of those. */
  function refusal(own: string, ofInner: string, known: readonly Container[], shown: Container) {
    const tree = makeSnapshot(
      [
        { pid: 40, parentPid: 8, container: "outer" },
        { pid: 50, parentPid: 9, container: ofInner },
        { pid: 60, parentPid: 50, name: "job", container: own },
      ],
      known,
    );
    const [found] = findTargets("60", tree, () => outer).processes;
    return found && guard.refuse({ ...found, container: shown }, tree);
  }

  const unknown = makeContainer("inner", { known: false, name: null, initPid: null });

  test("an inner one that no runtime knows belongs to the outer one", () => {
    expect(refusal("outer/inner", "outer/inner", [outer], unknown)).toBeUndefined();
  });

  test("the outer one's protection holds for what is inside the inner one", () => {
    const kept = { ...outer, labels: { "pidward.protect": "true" } };
    expect(refusal("outer/inner", "outer/inner", [kept, inner], inner)).toContain(
      "container outer is protected",
    );
  });

  test("more than two are unclear", () => {
    expect(refusal("outer/inner/third", "inner", [outer], unknown)).toBe(
      "60@600 (job) sits in nested containers (outer > inner > third), and it is unclear which of them answers for it",
    );
  });

  test("an inner one that is known must be where its init is", () => {
    expect(refusal("outer/inner", "outer/inner", [outer, inner], inner)).toBeUndefined();
    expect(refusal("outer/inner", "inner", [outer, inner], inner)).toBe(
      "60@600 (job) sits in nested containers (outer > inner), but the init of inner is in inner: it is unclear whose it is",
    );
    const stopped = { ...inner, initPid: null };
    expect(refusal("outer/inner", "inner", [outer, stopped], stopped)).toContain("inner has no init");
    expect(refusal("evil/inner", "inner", [inner], inner)).toContain("the init of inner is in inner");
  });
});
