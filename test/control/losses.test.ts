import { expect, test } from "@jest/globals";
import { describeLosses, findLosses, type TraitReaders, type Traits } from "../../agent/control/losses.ts";
import { AgentError } from "../../agent/errors.ts";
import { makeContainer } from "../inventory/table.ts";
import { makeTarget } from "./fake-exec.ts";

/** As the engine gives them: root with CAP_CHOWN, CAP_KILL and CAP_NET_RAW. */
const set = (1n << 0n) | (1n << 5n) | (1n << 13n);
const netRaw = 1n << 13n;
const init: Traits = {
  privileges: {
    umask: 0o22,
    inheritable: 0n,
    permitted: set,
    effective: set,
    bounding: set,
    ambient: 0n,
    noNewPrivileges: false,
    seccomp: 2,
    seccompFilters: 1,
  },
  limits: [
    { name: "Max open files", soft: 1024, hard: 524_288, unit: "files" },
    { name: "Max core file size", soft: null, hard: null, unit: "bytes" },
  ],
  nice: 0,
  oomScoreAdj: 0,
  stdout: "pipe:[100]",
  stderr: "pipe:[101]",
};
/** A process that has nothing to lose. */
const plain: Traits = { ...init, stdout: "/dev/null", stderr: "/dev/null" };
const withPrivileges = (facts: Partial<Traits["privileges"]>): Traits => ({
  ...plain,
  privileges: { ...plain.privileges, ...facts },
});

test("a process that is as the engine makes one loses nothing", () => {
  expect(findLosses(plain, init, 0)).toEqual([]);
  expect(findLosses(withPrivileges({ effective: 0n }), init, 1000)).toEqual([]);
  expect(findLosses({ ...plain, stdout: null, stderr: null }, init, 0)).toEqual([]);
});

test("an init that has given up its own rights says nothing of those of others", () => {
  const modest = { ...init, privileges: { ...init.privileges, effective: 0n } };
  expect(findLosses(plain, modest, 0)).toEqual([]);
});

test.each<[string, Partial<Traits["privileges"]>, number, readonly string[]]>([
  ["kept by a user", { effective: netRaw }, 1000, ["loses CAP_NET_RAW"]],
  ["ambient", { effective: 0n, ambient: netRaw }, 1000, ["loses CAP_NET_RAW"]],
  ["beyond the container's", { effective: set | (1n << 21n) }, 0, ["loses CAP_SYS_ADMIN"]],
  ["given up by root", { effective: set & ~netRaw }, 0, ["gets back CAP_NET_RAW, which it had given up"]],
  [
    "dropped for good",
    { effective: 0n, bounding: 0n },
    1000,
    ["gets back CAP_CHOWN, CAP_KILL, CAP_NET_RAW, which it had given up"],
  ],
  [
    "two filters",
    { seccompFilters: 2 },
    0,
    ["loses its seccomp: 2 filters; the container's init has 1 filter"],
  ],
  [
    "none",
    { seccomp: 0, seccompFilters: 0 },
    0,
    ["loses its seccomp: none; the container's init has 1 filter"],
  ],
  [
    "strict",
    { seccomp: 1, seccompFilters: 0 },
    0,
    ["loses its seccomp: strict mode; the container's init has 1 filter"],
  ],
])("rights that are %s", (_, facts, uid, losses) => {
  expect(findLosses(withPrivileges(facts), init, uid)).toEqual(losses);
});

test("limits that differ are named with both values", () => {
  const limits = [
    { name: "Max open files", soft: 100, hard: 200, unit: "files" },
    { name: "Max core file size", soft: 0, hard: null, unit: "bytes" },
    { name: "Max that the init has not", soft: 1, hard: 1, unit: null },
  ];
  expect(findLosses({ ...plain, limits }, init, 0)).toEqual([
    "loses its limits (soft/hard): Max open files 100/200, the init has 1024/524288; Max core file size 0/unlimited, the init has unlimited/unlimited",
  ]);
});

test("priority and the OOM killer's score are told where they differ", () => {
  expect(findLosses({ ...plain, nice: -5, oomScoreAdj: 300 }, init, 0)).toEqual([
    "loses its nice value -5",
    "loses its oom_score_adj 300; the container's init has 0",
  ]);
});

test.each<[string, string, readonly string[]]>([
  ["pipe:[100]", "pipe:[101]", ["loses its stdout and stderr: the container's log"]],
  ["/dev/null", "pipe:[101]", ["loses its stderr: the container's log"]],
  ["/var/log/a", "/var/log/a", ['loses its stdout and stderr: the file "/var/log/a"']],
  ["pipe:[7]", "socket:[8]", ["loses its stdout: a pipe to another process", "loses its stderr: a socket"]],
  ["/dev/pts/0", "/dev/null", ['loses its stdout: "/dev/pts/0"']],
  ["/tmp/\u001b[2J", "/dev/null", ['loses its stdout: the file "/tmp/\\u001b[2J"']],
])("output to %j and %j", (stdout, stderr, losses) => {
  expect(findLosses({ ...plain, stdout, stderr }, init, 0)).toEqual(losses);
});

test("an init's own file is a file, its terminal the container's log", () => {
  const filed = { ...init, stdout: "/var/log/all" };
  expect(findLosses({ ...plain, stdout: "/var/log/all" }, filed, 0)).toEqual([
    'loses its stdout: the file "/var/log/all"',
  ]);
  const terminal = { ...init, stdout: "/dev/pts/0", stderr: "/dev/pts/0" };
  expect(findLosses({ ...plain, stdout: "/dev/pts/0" }, terminal, 0)).toEqual([
    "loses its stdout: the container's log",
  ]);
});

function readersOf(traits: Readonly<Record<number, Traits>>): TraitReaders {
  return {
    readPrivileges: (pid) => traits[pid]?.privileges,
    readLimits: (pid) => traits[pid]?.limits,
    readNice: (pid) => traits[pid]?.nice,
    readOomScoreAdj: (pid) => traits[pid]?.oomScoreAdj,
    readOutput: (pid, name) => traits[pid]?.[name] ?? undefined,
    readIds: (pid) => traits[pid] && { uid: 0 },
  };
}

test("a fact of several processes is told once, and one that has ended has none", () => {
  const web = makeContainer("web", { initPid: 40 });
  const readers = readersOf({
    40: init,
    50: { ...plain, nice: 5 },
    51: { ...plain, nice: 5, oomScoreAdj: 7 },
  });
  const targets = [50, 51, 52].map((pid) => makeTarget(pid));
  expect(describeLosses(targets, web, readers)).toEqual([
    "50@100 (sh), 51@100 (sh): loses its nice value 5",
    "51@100 (sh): loses its oom_score_adj 7; the container's init has 0",
  ]);
  expect(describeLosses(targets, makeContainer("web"), readers)).toEqual([]);
});

test("what may not be read is said", () => {
  const readers: TraitReaders = {
    ...readersOf({ 40: init, 50: plain }),
    readLimits: () => {
      throw new AgentError("no_rights", "/proc/50/limits may not be read");
    },
  };
  expect(describeLosses([makeTarget(50)], makeContainer("web", { initPid: 40 }), readers)).toEqual([
    "50@100 (sh): what else is lost cannot be told: /proc/50/limits may not be read",
  ]);
});
