import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { EventRecord, RestartAnswer, SignalAnswer } from "../../agent/api.ts";
import { parseHostsFile } from "../../agent/cli/hosts-file.ts";
import { AgentError } from "../../agent/errors.ts";
import { type FakeAgent, problem, startFakeAgent } from "../support/fake-agent.ts";
import { runHere } from "../support/run-here.ts";
import { waitFor } from "../support/wait-for.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-hosts-"));
const file = path.join(folder, "hosts.yml");
const names = ["web-1", "web-2", "db-1"] as const;
const socketOf = (name: string): string => path.join(folder, `${name}.sock`);
let agents: Record<(typeof names)[number], FakeAgent>;
/** How many requests are answered at this moment, and were at most. */
let load = { now: 0, most: 0, awaited: 1 };

const during = async (): Promise<void> => {
  load.now++;
  load.most = Math.max(load.most, load.now);
  // Whoever comes at the same time has come by then. When they do not come, the count of the test says so.
  const { awaited } = load;
  await waitFor("the others", () => load.most >= awaited, 20_000).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 20));
  load.now--;
};

beforeAll(async () => {
  const started = await Promise.all(
    names.map(async (name) => [name, await startFakeAgent(socketOf(name), during)] as const),
  );
  agents = Object.fromEntries(started) as typeof agents;
});
afterAll(async () => {
  await Promise.all(names.map((name) => agents[name].close()));
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  for (const name of names) agents[name].reset();
  load = { now: 0, most: 0, awaited: 1 };
  write(`
hosts:
  web-1: unix://${socketOf("web-1")}
  web-2: { address: "unix://${socketOf("web-2")}" }
  db-1: unix://${socketOf("db-1")}
groups:
  web: [web-1, web-2]
  first: [web-1, db-1]
`);
});

function write(text: string): void {
  writeFileSync(file, text);
}

const run = (...argv: readonly string[]) =>
  runHere(argv, { env: { PIDWARD_HOSTS_FILE: file }, defaultHost: "unix:///nowhere.sock" });

const list = (name: string) => ({
  takenAt: "2026-01-01T01:00:00.000Z",
  total: 1,
  processes: [
    {
      ref: "42@1",
      pid: 42,
      startTicks: 1,
      startedAt: "2026-01-01T00:00:00.000Z",
      parentPid: 1,
      containerPid: 7,
      name,
      command: [name],
      state: "sleeping",
      user: { id: 0, name: "root" },
      container: { id: "c0ffee".padEnd(64, "0"), name: "shop", image: "shop:1", runtime: "docker" },
      program: name,
      cpuSeconds: { user: 0, system: 0 },
      cpuCores: 0,
      residentBytes: 1024,
      virtualBytes: 0,
      swapBytes: 0,
      threads: 1,
      openFiles: 1,
      openFilesLimit: 1,
      readBytes: 0,
      writtenBytes: 0,
    },
  ],
  managed: [],
});

const restarted = (pid: number): RestartAnswer => ({
  action: "restart",
  driver: "supervisord",
  plan: "supervisord in shop: stop and start",
  dryRun: false,
  old: ["42@1"],
  new: [`${pid}@2`],
  seconds: 2.5,
  warnings: [],
});
const restartLine = "POST /api/v1/restart";

test("ps of several is one table with the host as a column, wherever the flag stands", async () => {
  for (const name of names) agents[name].answer("GET /api/v1/processes?selector=shop", list(`on-${name}`));
  const table = [
    "HOST   PID  CONTAINER  PROGRAM   USER  STATE     CPU%     RSS   AGE  COMMAND",
    "web-1   42  shop       on-web-1  root  sleeping   0.0  1.0KiB  1h0m  on-web-1",
    "web-2   42  shop       on-web-2  root  sleeping   0.0  1.0KiB  1h0m  on-web-2",
    "",
  ].join("\n");
  expect(await run("--hosts", "web-1,web-2", "ps", "shop")).toEqual({ code: 0, out: table, err: "" });
  expect(await run("--hosts=@web", "ps", "shop")).toEqual({ code: 0, out: table, err: "" });
  expect(await run("ps", "shop", "--hosts=web-1,@web")).toEqual({ code: 0, out: table, err: "" });
  expect((await run("ps", "shop", "--hosts=@all")).out.match(/^\S+/gm)).toEqual(["HOST", ...names]);
});

test("one host may be named too", async () => {
  agents["web-2"].answer("GET /api/v1/processes", list("it"));
  expect(await run("--host", "web-2", "ps")).toMatchObject({ code: 0, out: expect.stringContaining("it") });
});

test("where some fail the others are shown, and those that failed are named", async () => {
  agents["web-1"].answer(restartLine, restarted(50));
  agents["web-2"].answer(restartLine, problem("failed", "it ended\u001b[2J again"), 502);
  agents["db-1"].answer(restartLine, restarted(51));
  expect(await run("restart", "shop/nginx", "--hosts", "@all")).toEqual({
    code: 6,
    out: [
      "HOST   DRIVER       STOPPED  STARTED  SECONDS  PLAN",
      "web-1  supervisord  42@1     50@2         2.5  supervisord in shop: stop and start",
      "db-1   supervisord  42@1     51@2         2.5  supervisord in shop: stop and start",
      "",
    ].join("\n"),
    err: "pidward: web-2: it ended\\x1b[2J again\npidward: 1 of 3 hosts failed: web-2\n",
  });
});

test("where all fail alike the exit code is theirs", async () => {
  expect(await run("ps", "shop", "--hosts=@web")).toMatchObject({ code: 3, out: "" });
  agents["web-1"].answer("GET /api/v1/processes", problem("no_rights", "no"), 403);
  expect(await run("ps", "--hosts=@web")).toMatchObject({ code: 6 });
});

test("with a canary the others are acted upon only when it has succeeded", async () => {
  agents["web-1"].answer(restartLine, problem("not_restartable", "no driver has a plan"), 409);
  agents["db-1"].answer(restartLine, restarted(51));
  expect(await run("restart", "shop/nginx", "--hosts=@first,web-2", "--canary", "1")).toEqual({
    code: 6,
    out: "",
    err: "pidward: web-1: no driver has a plan\npidward: 1 of 3 hosts failed: web-1; not tried: db-1, web-2\n",
  });
  expect(agents["db-1"].asked).toEqual([]);
  expect(agents["web-2"].asked).toEqual([]);
  agents["web-1"].answer(restartLine, restarted(50));
  expect(await run("restart", "shop/nginx", "--hosts=@first", "--canary=1")).toMatchObject({
    code: 0,
    err: "",
  });
  expect(agents["db-1"].asked).toHaveLength(1);
});

test("so many are asked at a time", async () => {
  for (const name of names) agents[name].answer("GET /api/v1/processes", list(name));
  load.awaited = 3;
  await run("ps", "--hosts=@all");
  expect(load.most).toBe(3);
  load = { now: 0, most: 0, awaited: 1 };
  await run("ps", "--hosts=@all", "--parallel=1");
  expect(load.most).toBe(1);
});

test("an agent that two names stand for is asked once", async () => {
  write(`hosts: { a: "unix://${socketOf("web-1")}", b: "unix://${socketOf("web-1")}" }`);
  agents["web-1"].answer(restartLine, restarted(50));
  expect(await run("restart", "shop/nginx", "--hosts=a,b")).toMatchObject({ code: 0 });
  expect(agents["web-1"].asked).toHaveLength(1);
});

test("what was not done in spite of an answer counts as failed", async () => {
  const answer = (outcome: "exited" | "sent"): SignalAnswer => ({
    action: "signal",
    signal: "SIGTERM",
    dryRun: false,
    targets: [
      {
        ref: "42@1",
        name: "httpd",
        outcome,
        respawnedBy: "supervisord",
        respawn: "certain",
        stoppedBy: null,
        zombieOf: null,
      },
    ],
    warnings: ["a note"],
  });
  agents["web-1"].answer("POST /api/v1/signal", answer("exited"));
  agents["web-2"].answer("POST /api/v1/signal", answer("sent"));
  const found = await run("kill", "shop/httpd", "--wait", "--timeout=5s", "--hosts=@web");
  expect(found).toEqual({
    code: 6,
    out: [
      "note: web-1: a note",
      "note: web-2: a note",
      "HOST   PROCESS  NAME   OUTCOME",
      "web-1  42@1     httpd  exited after SIGTERM; supervisord will start it again",
      "web-2  42@1     httpd  SIGTERM sent; supervisord will start it again",
      "",
    ].join("\n"),
    err: expect.stringMatching(
      /^pidward: web-2: not ended within 5 s: .*\npidward: 1 of 2 hosts failed: web-2\n$/,
    ),
  });
});

test("as JSON every host has its answer or its error", async () => {
  agents["web-1"].answer("GET /api/v1/containers", { takenAt: "x", total: 0, containers: [] });
  const { code, out } = await run("containers", "--hosts=@web", "--json");
  expect(code).toBe(6);
  expect(JSON.parse(out)).toEqual({
    hosts: [
      { host: "web-1", answer: { takenAt: "x", total: 0, containers: [] } },
      { host: "web-2", error: { code: "not_found", detail: "nothing at GET /api/v1/containers" } },
    ],
    notTried: [],
  });
});

test("a command in a container of several hosts has their names before its lines", async () => {
  const answer = { encoding: "utf8", truncated: false, timedOut: false };
  agents["web-1"].answer("POST /api/v1/exec", {
    ...answer,
    exitCode: 0,
    stdout: "a\tb\n\u001b[2J\n",
    stderr: "",
  });
  agents["web-2"].answer("POST /api/v1/exec", { ...answer, exitCode: 3, stdout: "", stderr: "no\n" });
  expect(await run("exec", "shop", "--hosts=@web", "--", "cat", "--hosts=x")).toEqual({
    code: 6,
    out: "web-1  a\tb\nweb-1  \\x1b[2J\n",
    err: "web-2  no\npidward: web-2: exit code 3\npidward: 1 of 2 hosts failed: web-2\n",
  });
  expect(JSON.parse(agents["web-1"].asked[0]?.body ?? "")).toMatchObject({ argv: ["cat", "--hosts=x"] });
});

test("events of several are one stream, each line with its host", async () => {
  const event: EventRecord = {
    id: 1,
    type: "container",
    time: "2026-01-01T00:00:00.000Z",
    container: { id: "c0ffee", name: "shop" },
    previousState: "running",
    state: "paused",
    exitCode: null,
    oomKilled: false,
  } as unknown as EventRecord;
  const line = "GET /api/v1/events?last=10&follow=false";
  agents["web-1"].answer(line, `id: 1\nevent: container\ndata: ${JSON.stringify(event)}\n\n`);
  const told = await run("events", "--no-follow", "--hosts=@web");
  expect(told).toMatchObject({ code: 6, err: expect.stringContaining("web-2") });
  expect(told.out).toMatch(/^web-1 {2}2026-01-01T00:00:00\.000Z {2}container {2}shop .*running -> paused\n$/);
  const json = await run("events", "--no-follow", "--hosts=web-1", "--json");
  expect(JSON.parse(json.out)).toMatchObject({ host: "web-1", type: "container" });
});

test("status of several stands below their names", async () => {
  agents["web-1"].answer("GET /api/v1/processes?selector=shop%2Fx", {
    ...list("x"),
    processes: [],
    total: 0,
  });
  agents["web-1"].answer("GET /api/v1/containers/shop", { id: "c".repeat(64), name: "shop", programs: [] });
  const told = await run("status", "shop/x", "--hosts=@web");
  expect(told.out).toMatch(/^== web-1 ==\nprogram {4}x\n/);
  expect(told.err).toMatch(/^pidward: web-2: /);
  expect(told.code).toBe(6);
  const { hosts } = JSON.parse((await run("status", "shop/x", "--hosts=@web", "--json")).out);
  expect(hosts).toMatchObject([{ host: "web-1", answer: { total: 0 } }, { error: { code: "not_found" } }]);
});

test("health of several is a table", async () => {
  agents["web-1"].answer("GET /readyz", { ready: true, reason: null, snapshotAgeSeconds: 1 });
  agents["web-2"].answer(
    "GET /readyz",
    { ready: false, reason: "no scan yet", snapshotAgeSeconds: null },
    503,
  );
  expect(await run("health", "--hosts=@web")).toEqual({
    code: 6,
    out: "HOST   HEALTH\nweb-1  ready: the last scan ended 1 s ago\nweb-2  not ready: no scan yet\n",
    err: "pidward: web-2: the agent is not ready: no scan yet\npidward: 1 of 2 hosts failed: web-2\n",
  });
});

test.each<readonly [argv: readonly string[], says: string]>([
  [["ps", "--hosts=web-9"], 'has no host "web-9"; did you mean web-1?'],
  [["ps", "--hosts=@wbe"], 'has no group "wbe"; did you mean web?'],
  [["ps", "--host=nothing-like-it"], 'has no host "nothing-like-it"; known: web-1, web-2, db-1'],
  [["ps", "--hosts=web-1,,db-1"], "--hosts: a name is missing"],
  [["ps", "--hosts="], "--hosts: a name is missing"],
  [["ps", "--hosts=web-1", "--host=web-2"], "one of them is enough"],
  [["ps", "--parallel=3"], "--parallel goes with --hosts"],
  [["ps", "--hosts=web-1", "--parallel=0"], '--parallel: "0" is no number from 1 to 64'],
  [["ps", "--hosts=web-1", "--canary=1"], "--canary is for commands that act, not for ps"],
  [["restart", "x", "--hosts=web-1", "--canary=few"], '--canary: "few" is no number from 1 on'],
  [["doctor", "--hosts=web-1"], "doctor is for one host"],
  [["exec", "x", "-it", "--hosts=web-1", "--", "sh"], "--tty is for one host"],
  [["--hosts"], "--hosts needs a value"],
  [["--hosts=web-1", "agent"], "--hosts=web-1 is for commands that ask an agent"],
  [["ps", "--hosts=ftp://x"], "neither unix:///path nor http(s)://host:port"],
  [["ps", "--hosts-file=/nowhere.yml", "--host=x"], "--hosts-file: ENOENT"],
])("%j is refused before anybody is asked", async (argv, says) => {
  expect(await run(...argv)).toMatchObject({ code: 2, out: "", err: expect.stringContaining(says) });
  for (const name of names) expect(agents[name].asked).toEqual([]);
});

test.each<readonly [yaml: string, says: string]>([
  ["", ":1: hosts is missing"],
  ["hosts:\n  a b: unix:///x", ":2: hosts.a b "],
  ["hosts:\n  a: web-1:10776", ":2: hosts.a is neither unix:///path nor http(s)://host:port"],
  ["hosts:\n  a: { address: 'https://x', tokn: y }", ":2: hosts.a.tokn is no key that means something there"],
  ["hosts:\n  a: { ca: x }", ":2: hosts.a address "],
  ["hosts:\n  a: unix:///x\ngroups:\n  g: [a, b]", ':4: groups.g.1 "b" is not among hosts'],
  ["hosts: { a: unix:///x }\nhost: 1", ":2: host is no key that means something there"],
  ["hosts: [", ":1: "],
])("a hosts file %j is refused with its line", async (yaml, says) => {
  write(yaml);
  const { code, err } = await run("ps", "--host=a");
  expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(`${file}${says}`) });
});

test("whatever stands in a hosts file, it is read or refused with its line", () => {
  const words = [
    "hosts",
    "groups",
    "defaults",
    "a",
    ": ",
    "\n",
    "  ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "*a",
    "&a ",
  ];
  const some = fc.array(fc.constantFrom(...words, "__proto__", "<<", "unix:///x", "!!js", "@", "'", "|"));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        some.map((parts) => parts.join("")),
      ),
      (text) => {
        try {
          parseHostsFile(text, "hosts.yml");
        } catch (error) {
          if (!(error instanceof AgentError)) throw error;
          expect(error.message).toMatch(/^hosts\.yml:\d+: /);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("credentials of the file are read beside it; what others can read is refused", async () => {
  write(
    `hosts:\n  web-1: { address: "https://127.0.0.1:9", token_file: token }\ndefaults: { token_file: other }\n`,
  );
  writeFileSync(path.join(folder, "token"), "secret\n");
  chmodSync(path.join(folder, "token"), 0o644);
  expect((await run("ps", "--host=web-1")).err).toContain(
    `web-1: token_file: ${path.join(folder, "token")} can be read by others (mode 644)`,
  );
  chmodSync(path.join(folder, "token"), 0o600);
  expect(await run("ps", "--host=web-1")).toMatchObject({
    code: 7,
    err: expect.stringContaining("no agent answers at https://127.0.0.1:9"),
  });
});
