import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  type CgroupPlace,
  containerPath,
  parseCgroupFile,
  parseCgroupLines,
  parseCgroupPath,
} from "../../agent/containers/cgroup-path.ts";

interface Row {
  readonly path?: string;
  readonly content?: string;
  readonly runtime: string | null;
  readonly runtimeAnyOf?: readonly (string | null)[];
  readonly containerId: string | null;
  readonly disputed?: boolean;
  readonly accept?: readonly string[];
  readonly outer?: string;
  readonly source: string;
}

function rows(file: string): readonly Row[] {
  return JSON.parse(readFileSync(`${__dirname}/../fixtures/${file}`, "utf8"));
}

function check(row: Row, place: CgroupPlace | undefined): void {
  if (row.disputed === true) {
    expect(row.accept).toContain(place?.containerId);
    return;
  }
  expect(place?.containerId ?? null).toBe(row.containerId);
  if (row.runtimeAnyOf === undefined) expect(place?.runtime ?? null).toBe(row.runtime);
  else expect(row.runtimeAnyOf).toContain(place?.runtime ?? null);
  if (row.outer !== undefined) expect(place?.outerId).toBe(row.outer);
}

describe("real cgroup paths", () => {
  test.each(rows("cgroup-paths.json").map((row) => [row.path ?? "", row] as const))("%s", (path, row) => {
    check(row, parseCgroupPath(path));
  });
});

describe("real cgroup files", () => {
  test.each(rows("cgroup-files.json").map((row) => [row.source, row] as const))("%s", (_, row) => {
    check(row, parseCgroupFile(row.content ?? ""));
  });
});

const id = "a".repeat(64);
const other = "b".repeat(64);

test.each([
  [`/docker/${id}/system.slice/worker.service`, "worker.service", `/docker/${id}`],
  [`/system.slice/docker-${id}.scope/init.scope`, "init.scope", `/system.slice/docker-${id}.scope`],
  [`/docker/${id}/jobs/7`, null, `/docker/${id}`],
  [`/my/parent/${id}`, null, `/my/parent/${id}`],
])("below a container's cgroup, %s has the unit %s", (path, unit, own) => {
  expect(parseCgroupPath(path)).toMatchObject({ containerId: id, unit });
  expect(containerPath(path)).toBe(own);
});

test.each([
  `/docker/${id}0`,
  `/docker/x${id}`,
  `/system.slice/${id}.service`,
  `/machine.slice/libpod-conmon-${id}.scope`,
  `/lxc.monitor.web`,
  `/system.slice/var-lib-docker-overlay2-${id}-merged.mount`,
  "/mydocker/web",
])("%s is no container", (path) => {
  expect(parseCgroupPath(path)).toBeUndefined();
});

test("a name with colons is not split", () => {
  expect(parseCgroupLines("1:name=systemd:/a:b:c\n")).toEqual([
    { controllers: ["name=systemd"], path: "/a:b:c" },
  ]);
});

test("nested containers keep the outermost id", () => {
  expect(parseCgroupPath(`/docker/${other}/docker/${id}`)).toMatchObject({ containerId: id, outerId: other });
});

test.each([
  [`/docker/${id}/sub`, [id]],
  [`/docker/${id}/docker/${id}`, [id]],
  [`/docker/${other}/docker/${id}`, [other, id]],
  [`/docker/${id}/docker/${other}/docker/${id}`, [id, other, id]],
])("the ids of %s are told from the outermost on", (path, nesting) => {
  expect(parseCgroupPath(path)?.nesting).toEqual(nesting);
});

test("any text gives an answer or none", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void parseCgroupFile(text)));
});

test("lines that name no container change nothing, wherever they stand", () => {
  const none = fc.constantFrom("0::/", "1:name=systemd:/init.scope", "8:pids:/user.slice", "", "nonsense");
  fc.assert(
    fc.property(fc.array(none), fc.array(none), (before, after) => {
      const text = [...before, `4:memory:/docker/${id}`, ...after].join("\n");
      expect(parseCgroupFile(text)).toMatchObject({ containerId: id, runtime: "docker" });
    }),
  );
});

test("a path as long as a hostile container can make it is dealt with", () => {
  const deep = `/docker/${id}${"/lxc".repeat(50_000)}`;
  expect(parseCgroupPath(deep)?.nesting.length).toBeLessThan(10);
  expect(parseCgroupPath(`/${"a".repeat(1 << 20)}`)).toBeUndefined();
});
