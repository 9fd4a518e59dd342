import { expect, test } from "@jest/globals";
import { type CaptureParts, captureProcess } from "../../agent/control/capture.ts";
import { execUserFor } from "../../agent/control/exec-user.ts";
import type { ContainerFiles } from "../../agent/managers/inside.ts";
import type { TargetProcess } from "../../agent/model.ts";
import type { InsideIds } from "../../agent/source/procfs/process-files.ts";
import { makeContainer } from "../inventory/table.ts";

/** A container's files as a list of folders, programs and texts. */
function filesWith(texts: Readonly<Record<string, string>> = {}): ContainerFiles {
  return {
    read: (path) => (texts[path] === undefined ? undefined : Buffer.from(texts[path])),
    isExecutable: (path) => ["/usr/sbin/httpd", "/srv/run.sh"].includes(path),
    isFolder: (path) => ["/", "/srv"].includes(path),
  };
}

const passwd = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n";
const group = "root:x:0:\napp:x:1000:\nextra:x:2000:app\nmore:x:3000:other,app\n";
const files = filesWith({ "/etc/passwd": passwd, "/etc/group": group });

const target: TargetProcess = {
  ref: { pid: 42, startTicks: 7 },
  name: "httpd",
  parentPid: 40,
  kernelThread: false,
  container: null,
  authority: null,
  program: "httpd",
  init: false,
};

function capture(facts: Partial<CaptureParts>) {
  const parts: CaptureParts = {
    readCommand: () => ["httpd", "-f"],
    readEnviron: () => ["PATH=/usr/sbin:/bin", "A=b=c"],
    readWorkdir: () => "/srv",
    readIds: () => ({ uid: 0, gid: 0, groups: [] }),
    filesOf: () => files,
    ...facts,
  };
  return captureProcess(target, makeContainer("web", { initPid: 40 }), parts);
}

test("a process is captured with argv, environment, folder and user", () => {
  expect(capture({})).toMatchObject({
    captured: { argv: ["httpd", "-f"], env: ["PATH=/usr/sbin:/bin", "A=b=c"], workdir: "/srv", user: "0:0" },
  });
});

test("a relative program is looked for below the working directory", () => {
  expect(capture({ readCommand: () => ["./run.sh"] })).toMatchObject({ captured: { argv: ["./run.sh"] } });
});

test.each<[string, Partial<CaptureParts>, string]>([
  ["an overwritten command line", { readCommand: () => ["nginx: master process nginx"] }, "no program"],
  ["a login shell's name", { readCommand: () => ["-sh"] }, "no program"],
  ["an empty command line", { readCommand: () => [] }, "empty"],
  ["an overwritten environment", { readEnviron: () => ["PATH=/usr/sbin", ""] }, "environment"],
  ["a program that PATH does not reach", { readEnviron: () => ["PATH=/bin"] }, "no program"],
  ["a deleted working directory", { readWorkdir: () => "/srv/old (deleted)" }, "working directory"],
  ["a process that has ended", { readIds: () => undefined }, "has ended"],
  ["files that cannot be looked at", { filesOf: () => undefined }, "cannot be looked at"],
])("%s is a reason, not a plan", (_, facts, reason) => {
  expect(capture(facts)).toMatchObject({ reason: expect.stringContaining(reason) });
});

test("a refused file is a reason that quotes it", () => {
  const refuse = (): never => {
    throw new Error("EACCES: /proc/42/environ");
  };
  expect(capture({ readEnviron: refuse })).toMatchObject({ reason: expect.stringContaining("EACCES") });
});

test.each<[string, InsideIds, string, number]>([
  ["no groups", { uid: 1000, gid: 1000, groups: [1000] }, "1000:1000", 0],
  ["the groups of /etc/group", { uid: 1000, gid: 1000, groups: [1000, 2000, 3000] }, "1000", 0],
  ["fewer groups than /etc/group lists", { uid: 1000, gid: 1000, groups: [2000] }, "1000:1000", 1],
  ["another primary group", { uid: 1000, gid: 5, groups: [2000, 3000] }, "1000:5", 1],
  ["a user without an entry", { uid: 77, gid: 77, groups: [9] }, "77:77", 1],
])("the exec's user for a process with %s", (_, ids, user, warnings) => {
  const found = execUserFor(ids, files);
  expect(found.user).toBe(user);
  expect(found.warnings).toHaveLength(warnings);
});
