import { expect, test } from "@jest/globals";
import { zombieParent } from "../../agent/inventory/zombies.ts";
import { makeContainer, makeSnapshot } from "./table.ts";

const dead = { state: "Z", command: [] };
const snapshot = makeSnapshot(
  [
    { pid: 1, parentPid: 0, name: "systemd" },
    { pid: 8, name: "shim" },
    { pid: 9, name: "cron" },
    { pid: 10, parentPid: 9, name: "of-cron", ...dead },
    { pid: 11, parentPid: 1, name: "of-systemd", ...dead },
    { pid: 40, parentPid: 8, name: "sleep", container: "web" },
    { pid: 41, parentPid: 40, name: "of-init", container: "web", ...dead },
    { pid: 42, parentPid: 40, name: "lazy", container: "web" },
    { pid: 43, parentPid: 42, name: "of-lazy", container: "web", ...dead },
    { pid: 50, parentPid: 8, name: "ended-init", container: "old", ...dead },
    { pid: 51, parentPid: 999, name: "orphan", container: "old", ...dead },
  ],
  [makeContainer("web", { initPid: 40 }), makeContainer("old", { initPid: 50 })],
);

test.each([
  [10, "9@90", "cron", /or ends: pidward kill 9@90$/],
  [43, "42@420", "lazy", /until lazy waits for it.*pidward kill 42@420$/],
  [41, "40@400", "sleep", /sleep is the container's init: .*--init/],
])("the zombie %i is its parent's to reap, and what helps is said", (pid, ref, name, hint) => {
  expect(zombieParent(pid, snapshot)).toEqual({ ref, name, hint: expect.stringMatching(hint) });
});

test("nobody is told to kill the host's init or a container's shim", () => {
  for (const pid of [11, 50]) expect(zombieParent(pid, snapshot)?.hint).not.toContain("kill");
});

test("what lives, is not there, or has a parent that is not there, has none", () => {
  for (const pid of [9, 40, 42, 51, 12345]) expect(zombieParent(pid, snapshot)).toBeNull();
});
