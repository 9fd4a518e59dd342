import { expect, test } from "@jest/globals";
import { createBusy } from "../../agent/control/busy.ts";
import { findTargets } from "../../agent/inventory/targets.ts";
import { makeContainer, makeSnapshot } from "../inventory/table.ts";

const labels = { "pidward.program.helper.match": "helper" };
const containers = [makeContainer("web", { initPid: 40, labels }), makeContainer("db", { initPid: 80 })];
const snapshot = makeSnapshot(
  [
    { pid: 1, parentPid: 0 },
    { pid: 8 },
    { pid: 40, parentPid: 8, name: "init", container: "web", containerPid: 1 },
    { pid: 50, parentPid: 40, name: "httpd", container: "web", containerPid: 7 },
    { pid: 51, parentPid: 50, name: "worker", container: "web" },
    { pid: 60, parentPid: 40, name: "cron", container: "web" },
    // A program of its own below another's process.
    { pid: 61, parentPid: 60, name: "helper", container: "web" },
    { pid: 80, parentPid: 8, name: "init", container: "db" },
    { pid: 81, parentPid: 80, name: "httpd", container: "db" },
    { pid: 90, name: "lone" },
  ],
  containers,
);

const targets = (selector: string) => findTargets(selector, snapshot, () => null);

test.each([
  ["web/httpd", "web/httpd"],
  ["web/httpd", "50"],
  ["50@500", "web:7"],
  ["51", "web/httpd"],
  ["web/httpd", "web"],
  ["web", "web/cron"],
  ["40", "web/httpd"],
  ["web/httpd", "40@400"],
  ["web/cron", "web/helper"],
  ["61", "60"],
  ["90", "90@900"],
])("while %s is restarted, %s is refused and said to be under way", (first, second) => {
  const busy = createBusy();
  const letGo = busy.hold(targets(first));
  expect(() => busy.hold(targets(second))).toThrow(
    expect.objectContaining({
      code: "busy",
      message: expect.stringContaining(`already under way: of ${first}`),
    }),
  );
  expect(busy.holderOf(targets(second))).toBe(first);
  letGo();
  expect(busy.holderOf(targets(second))).toBeUndefined();
  busy.hold(targets(second));
});

test.each([
  ["web/httpd", "web/cron"],
  ["50", "61"],
  ["web", "db"],
  ["web/httpd", "db/httpd"],
  ["90", "web"],
])("%s and %s are restarted side by side", (first, second) => {
  const busy = createBusy();
  busy.hold(targets(first));
  expect(busy.holderOf(targets(second))).toBeUndefined();
  busy.hold(targets(second));
});
