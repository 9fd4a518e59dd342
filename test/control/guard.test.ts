import { expect, test } from "@jest/globals";
import { createGuard } from "../../agent/control/guard.ts";
import { findTargets } from "../../agent/inventory/targets.ts";
import { kernelThreadFlag, type TargetProcess } from "../../agent/model.ts";
import { makeContainer, makeSnapshot } from "../inventory/table.ts";

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

const guard = createGuard({ agentPid: 6, allowHost: false, readOnly: false });
const openGuard = createGuard({ agentPid: 6, allowHost: true, readOnly: false });

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
  expect(createGuard({ agentPid: 6, allowHost: true, readOnly: true }).refuseAll()).toContain("read-only");
  expect(guard.refuseAll()).toBeUndefined();
});
