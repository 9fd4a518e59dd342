import { expect, test } from "@jest/globals";
import { createCgroupBound } from "../../../agent/metrics/compat/cadvisor/cgroup-bound.ts";
import type { Collector } from "../../../agent/metrics/samples.ts";
import { makeSnapshot } from "../../inventory/table.ts";

const root = { path: "/", index: -1, residentBytes: () => 0 };
const slice = { path: "/system.slice", index: -1, residentBytes: () => 9000 };
const container = (name: string, residentBytes: number) => ({
  path: `/docker/${name}`,
  index: name.charCodeAt(0),
  residentBytes: () => residentBytes,
});

/** So many series for each of `count` cgroups. */
const collector = (count: number): Collector => ({
  group: "container",
  name: "cpu",
  collect: () => [
    {
      family: { name: "container_x", type: "gauge", help: "", labels: [] },
      samples: Array.from({ length: count }, () => ({ labels: "", value: 1 })),
    },
  ],
});

test("with room for all, all are shown; else the root and the largest containers", () => {
  const leftOut: number[] = [];
  let most = 1000;
  const bound = createCgroupBound(
    () => most,
    (count) => leftOut.push(count),
  );
  const all = [root, slice, container("a", 10), container("b", 30), container("c", 20)];
  expect(bound.choose(all)).toEqual(all);
  most = 320;
  expect(bound.choose(all).map(({ path }) => path)).toEqual(["/", "/docker/b", "/docker/c"]);
  // It is larger now, but not twice as large.
  const grown = [root, slice, container("a", 35), container("b", 30), container("c", 20)];
  expect(bound.choose(grown).map(({ path }) => path)).toEqual(["/", "/docker/b", "/docker/c"]);
  const larger = [root, slice, container("a", 50), container("b", 30), container("c", 20)];
  expect(bound.choose(larger).map(({ path }) => path)).toEqual(["/", "/docker/a", "/docker/b"]);
  expect(leftOut).toEqual([0, 2, 2, 2]);
});

test("how many fit is known by the series that there were", async () => {
  const bound = createCgroupBound(
    () => 320,
    () => {},
  );
  const all = [root, slice, container("a", 10), container("b", 30), container("c", 20)];
  expect(bound.choose(all)).toHaveLength(3);
  await bound.counted(collector(150)).collect(makeSnapshot([]));
  expect(bound.choose(all)).toEqual(all);
});
