import { expect, test } from "@jest/globals";
import { findTargets, livingTargets } from "../../agent/inventory/targets.ts";
import { formatRef, type TargetProcess } from "../../agent/model.ts";
import { makeContainer, makeSnapshot } from "./table.ts";

const containers = [makeContainer("web", { initPid: 40 })];
const snapshot = makeSnapshot(
  [
    { pid: 1, parentPid: 0 },
    { pid: 8 },
    { pid: 40, parentPid: 8, name: "init", container: "web", containerPid: 1 },
    { pid: 50, parentPid: 40, name: "worker", container: "web" },
    { pid: 51, parentPid: 50, name: "sort", container: "web" },
    { pid: 52, parentPid: 50, name: "sort", container: "web", state: "Z" },
    // Its parent has ended, and who took it over does not reap it.
    { pid: 60, parentPid: 1, name: "worker", container: "web", state: "Z" },
    { pid: 70, parentPid: 1, name: "cron", container: "web", state: "Z" },
  ],
  containers,
);
const living = (selector: string) => {
  const { processes, descendants } = livingTargets(
    findTargets(selector, snapshot, () => null),
    snapshot,
  );
  const refs = (found: readonly TargetProcess[]) => found.map(({ ref }) => formatRef(ref));
  return [refs(processes), refs(descendants)];
};

test("a program's zombies are left out of what is restarted, a process that was named is not", () => {
  expect(living("web/worker")).toEqual([["50@500"], ["51@510"]]);
  expect(living("web/cron")).toEqual([[], []]);
  expect(living("60")).toEqual([["60@600"], []]);
});
