import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type {
  ContainerList,
  ContainerRecord,
  Finding,
  ProcessDetail,
  ProcessList,
  ProcessRecord,
  RestartAnswer,
  SignalAnswer,
} from "../../agent/api.ts";
import type { CliParts } from "../../agent/cli/run-cli.ts";
import { type ErrorCode, errorCatalogue } from "../../agent/errors.ts";
import { type FakeAgent, problem, startFakeAgent } from "../support/fake-agent.ts";
import { runHere } from "../support/run-here.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-cli-"));
const socket = path.join(folder, "agent.sock");
let agent: FakeAgent;
const answer = (line: string, body: unknown, status?: number): void => agent.answer(line, body, status);

beforeAll(async () => {
  agent = await startFakeAgent(socket);
});
afterAll(async () => {
  await agent.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => agent.reset());

const findings: readonly Finding[] = [
  { subject: "user", level: "ok", message: "root", remedy: null },
  { subject: "docker", level: "missing", message: "no answer", remedy: "start the engine" },
];

const run = (argv: readonly string[], facts: Partial<CliParts> = {}) =>
  runHere(argv, {
    defaultHost: `unix://${socket}`,
    settings: [
      {
        flag: "--scan.interval=SPAN",
        environment: "PIDWARD_SCAN_INTERVAL",
        fallback: "1s",
        meaning: "Time.",
      },
    ],
    runAgent: async (args) => args.length,
    examineHost: async () => findings,
    ...facts,
  });

const takenAt = "2026-01-01T01:00:00.000Z";

function makeProcess(facts: Partial<ProcessRecord> = {}): ProcessRecord {
  return {
    ref: "4242@183746",
    pid: 4242,
    startTicks: 183746,
    startedAt: "2026-01-01T00:00:00.000Z",
    parentPid: 4200,
    containerPid: 7,
    name: "nginx",
    command: ["nginx", "-g", "daemon off;"],
    state: "sleeping",
    user: { id: 33, name: "www-data" },
    container: { id: "c0ffee".padEnd(64, "0"), name: "web", image: "shop/web:3", runtime: "docker" },
    program: "nginx",
    cpuSeconds: { user: 1.25, system: 0.5 },
    cpuCores: 0.031,
    residentBytes: 8 << 20,
    virtualBytes: 70 << 20,
    swapBytes: 0,
    threads: 3,
    openFiles: 12,
    openFilesLimit: 1024,
    readBytes: 4096,
    writtenBytes: null,
    ...facts,
  };
}

const hostProcess = makeProcess({
  pid: 1,
  container: null,
  containerPid: null,
  program: "systemd",
  command: null,
  name: "systemd",
  user: { id: 0, name: null },
  cpuCores: null,
});

function listOf(...processes: readonly ProcessRecord[]): ProcessList {
  return { takenAt, total: processes.length, processes, managed: [] };
}

test("ps shows aligned columns, and nothing is cut where no terminal is", async () => {
  answer("GET /api/v1/processes", listOf(hostProcess, makeProcess()));
  expect((await run(["ps"])).out).toBe(
    [
      " PID  CONTAINER  PROGRAM  USER      STATE     CPU%     RSS   AGE  COMMAND",
      "   1  -          systemd  0         sleeping     -  8.0MiB  1h0m  [systemd]",
      "4242  web        nginx    www-data  sleeping   3.1  8.0MiB  1h0m  nginx -g daemon off;",
      "",
    ].join("\n"),
  );
});

test("on a terminal the command is cut at its width", async () => {
  answer("GET /api/v1/processes", listOf(makeProcess({ command: ["nginx", "x".repeat(200)] })));
  const { out } = await run(["ps"], { columns: 80, env: { NO_COLOR: "1" } });
  const lines = out.trimEnd().split("\n");
  expect(lines.map((line) => line.length)).toEqual([73, 80]);
  expect(lines[1]).toMatch(/nginx x+…$/);
});

test("colour is on a terminal only, and not against NO_COLOR or a dumb terminal", async () => {
  answer("GET /api/v1/processes", listOf(makeProcess({ state: "zombie" })));
  const coloured = async (facts: Partial<CliParts>) => (await run(["ps"], facts)).out.includes("\u001b[");
  expect(await coloured({})).toBe(false);
  expect(await coloured({ columns: 80 })).toBe(true);
  expect(await coloured({ columns: 80, env: { NO_COLOR: "1" } })).toBe(false);
  expect(await coloured({ columns: 80, env: { TERM: "dumb" } })).toBe(false);
});

test("a hostile name reaches the terminal as plain text", async () => {
  const command = ["\u001b[2J\u001b]0;owned\u0007", "a\nb", "\u202egnp.exe", "日本"];
  answer("GET /api/v1/processes", listOf(makeProcess({ command })));
  const { out } = await run(["ps"]);
  expect(out.split("\n")[1]).toContain("\\x1b[2J\\x1b]0;owned\\x07 a\\nb \\u202egnp.exe 日本");
  expect(out.split("\n")).toHaveLength(3);
});

test("ps hands selector and filters on, and --json prints the API's answer", async () => {
  const line = "GET /api/v1/processes?selector=web%2Fnginx&sort=rss&limit=20";
  answer(line, listOf(makeProcess()));
  const { out, code } = await run(["ps", "web/nginx", "--sort", "rss", "--limit=20", "--json"]);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual(listOf(makeProcess()));
  expect(agent.asked.map((one) => one.line)).toEqual([line]);
});

const web: ContainerRecord = {
  id: "c0ffee".padEnd(64, "0"),
  name: "web",
  image: "shop/web:3",
  runtime: "docker",
  state: "running",
  known: true,
  labels: {},
  initPid: 4200,
  startedAt: "2026-01-01T00:00:00.000Z",
  restartCount: 2,
  restartPolicy: "always",
  exitCode: null,
  oomKilled: false,
  processes: 3,
  zombies: 1,
  cpuCores: 0.5,
  managed: [],
  resources: {
    cpuSeconds: { user: 1, system: 1 },
    cpuSecondsTotal: 2,
    throttledSeconds: 0,
    cpuLimitCores: null,
    memoryBytes: 32 << 20,
    memoryWorkingSetBytes: 16 << 20,
    memoryLimitBytes: 64 << 20,
    pids: 3,
    pidsLimit: null,
    readBytes: 1,
    writtenBytes: 2,
  },
  programs: [
    {
      name: "nginx",
      processes: 2,
      threads: 2,
      cpuSeconds: { user: 1, system: 0.5 },
      cpuCores: 0.5,
      residentBytes: 1024,
      openFiles: null,
      startedAt: "2026-01-01T00:30:00.000Z",
    },
  ],
};
const stopped: ContainerRecord = {
  ...web,
  name: "old",
  state: "exited",
  exitCode: 137,
  oomKilled: true,
  processes: 0,
  resources: null,
  programs: [],
};
const unknown: ContainerRecord = {
  ...web,
  name: "decade000000",
  known: false,
  state: "unknown",
  startedAt: null,
};

test("containers shows state, memory and programs; what no engine knows is marked", async () => {
  answer("GET /api/v1/containers", {
    takenAt,
    total: 3,
    containers: [web, stopped, unknown],
  } satisfies ContainerList);
  expect((await run(["containers"])).out).toBe(
    [
      "NAME          ID            STATE                        PROCS  CPU%           MEMORY  RESTARTS    UP  IMAGE       PROGRAMS",
      "web           c0ffee000000  running                          3  50.0  16.0MiB/64.0MiB         2  1h0m  shop/web:3  nginx(2)",
      "old           c0ffee000000  exited (137, out of memory)      0  50.0                -         2     -  shop/web:3",
      "decade000000  c0ffee000000  unknown to engine                3  50.0  16.0MiB/64.0MiB         2     -  shop/web:3  nginx(2)",
      "",
    ].join("\n"),
  );
});

const detail: ProcessDetail = {
  ...makeProcess(),
  managed: null,
  ancestors: [{ ref: "4200@1", name: "init" }],
  children: [],
  limits: null,
  faults: { minor: 1, major: 0 },
  contextSwitches: { voluntary: 3, involuntary: null },
  cpuPercentNow: 12.5,
  zombieOf: null,
  restart: { driver: "respawn", plan: "respawn in web: stop nginx" },
};

test("status of a process tells all, also what a restart would do", async () => {
  answer("GET /api/v1/processes/4242", detail);
  const { out } = await run(["status", "4242"]);
  expect(out).toContain("process      4242@183746 nginx\n");
  expect(out).toContain("container    web (c0ffee000000, PID 7 inside)\n");
  expect(out).toContain(
    "3.1% of one CPU, 12.5% at this moment; 1.25 s user, 0.50 s system since its start\n",
  );
  expect(out).toContain("restart      respawn in web: stop nginx\n");
});

test("status of a PID inside, a program and a container ask for what they need", async () => {
  answer("GET /api/v1/processes?selector=web%3A7", listOf(makeProcess()));
  answer("GET /api/v1/processes/4242%40183746", detail);
  expect((await run(["status", "web:7"])).out).toContain("4242@183746 nginx");
  answer("GET /api/v1/processes?selector=web%2Fnginx", listOf(makeProcess()));
  answer("GET /api/v1/processes?selector=web", listOf(makeProcess()));
  answer("GET /api/v1/containers/web", web);
  expect((await run(["status", "web/nginx"])).out).toMatch(/program {4}nginx\n[\s\S]*PROGRAM[\s\S]*4242/);
  const { out } = await run(["status", "web"]);
  expect(out).toContain("restarts   2 by policy always\n");
  expect(out).toContain("processes  3, 1 of them zombies\n");
});

test("kill says what happened to each target", async () => {
  const calm = { respawnedBy: null, respawn: null, stoppedBy: null, zombieOf: null };
  const targets: SignalAnswer["targets"] = [
    { ...calm, ref: "1@2", name: "httpd", outcome: "exited" },
    { ...calm, ref: "3@4", name: "worker", outcome: "killed", respawnedBy: "runsv (9)", respawn: "certain" },
    { ...calm, ref: "5@6", name: "cron", outcome: "sent" },
    { ...calm, ref: "7@8", name: "late", outcome: "gone" },
  ];
  answer("POST /api/v1/signal", {
    action: "signal",
    signal: "SIGTERM",
    dryRun: false,
    targets,
    warnings: [],
  } satisfies SignalAnswer);
  expect((await run(["kill", "web", "--grace", "1m", "--tree"])).out).toBe(
    [
      "1@2 httpd: exited after SIGTERM",
      "3@4 worker: did not exit after SIGTERM: killed; runsv (9) will start it again",
      "5@6 cron: SIGTERM sent",
      "7@8 late: was gone already",
      "",
    ].join("\n"),
  );
  expect(JSON.parse(agent.asked[0]?.body ?? "")).toEqual({
    selector: "web",
    graceSeconds: 60,
    tree: true,
    dryRun: false,
  });
});

test("restart prints the plan, what will be missing, and old and new refs", async () => {
  const base: RestartAnswer = {
    action: "restart",
    driver: "respawn",
    plan: "respawn in web: stop httpd",
    warnings: ["output goes nowhere"],
    dryRun: false,
    old: ["1@2"],
    new: ["3@4"],
    seconds: 3.1,
  };
  answer("POST /api/v1/restart", base);
  expect((await run(["restart", "web/httpd", "--settle", "2s"])).out).toBe(
    "plan     respawn in web: stop httpd\nnote     output goes nowhere\nstopped  1@2\nstarted  3@4 in 3.1 s (driver respawn)\n",
  );
  answer("POST /api/v1/restart", { ...base, dryRun: true, new: [], seconds: 0 });
  expect((await run(["restart", "web/httpd", "--dry-run"])).out).toContain(
    "dry run  nothing was done (driver respawn)\n",
  );
});

test.each(Object.entries(errorCatalogue))(
  "the API's %s gives its own exit code",
  async (code, { status, exitCode }) => {
    answer(
      "GET /api/v1/containers",
      problem(code as ErrorCode, "why\u001b[1m", { candidates: ["web/a", "web/b"] }),
      status,
    );
    expect(await run(["containers"])).toEqual({
      code: exitCode,
      out: "",
      err: "pidward: why\\x1b[1m\n  web/a\n  web/b\n",
    });
  },
);

test.each<[readonly string[], string]>([
  [["psx"], "unknown command psx; did you mean ps?"],
  [["--verbose"], "unknown flag --verbose"],
  [["ps", "--srot", "rss"], "unknown flag --srot of ps; did you mean --sort?"],
  [["ps", "--sort"], "--sort needs a value"],
  [["ps", "a", "b"], 'unexpected argument "b" of ps'],
  [["status"], "status needs SELECTOR"],
  [["kill", "1", "--grace", "soon"], '--grace: "soon"'],
  [["ps", "--host", "ftp://x"], "--host"],
])("%j is wrong usage, with words", async (argv, words) => {
  const { code, err, out } = await run(argv);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(words);
});

test("an agent that is not there is told how to be started", async () => {
  const { code, err } = await run(["ps"], { env: { PIDWARD_HOST: "unix:///nowhere/x.sock" } });
  expect(code).toBe(7);
  expect(err).toContain('no agent answers at unix:///nowhere/x.sock; start one with "npm start"');
});

test("what is no pidward at the other end is told so", async () => {
  answer("GET /api/v1/containers", "teapot", 418);
  expect(await run(["containers"])).toMatchObject({ code: 6, err: expect.stringContaining("answered 418") });
});

test("doctor needs no agent and says how to give what is missing", async () => {
  expect((await run(["doctor"])).out).toBe(
    "ok       user    root\nmissing  docker  no answer\n                 → start the engine\n",
  );
  expect(JSON.parse((await run(["doctor", "--json"])).out)).toEqual(findings);
});

test("help lists the commands, and each has its own", async () => {
  expect((await run(["help"])).out).toMatch(/ps \[SELECTOR\] +processes[\s\S]*doctor/);
  expect((await run(["kill", "--help"])).out).toContain("--grace 10s");
  expect((await run(["agent", "--help"])).out).toContain("PIDWARD_SCAN_INTERVAL, default 1s");
  expect((await run(["--version"])).out).toBe("pidward 1.2.3\n");
  expect((await run([])).code).toBe(2);
});

/** Answers with a stream of events, in pieces that are cut anywhere. */
async function streaming(events: readonly unknown[], use: (host: string) => Promise<void>): Promise<void> {
  const own = path.join(folder, "stream.sock");
  const paths: string[] = [];
  const source = http.createServer((request, response) => {
    paths.push(request.url ?? "");
    response.writeHead(200, { "content-type": "text/event-stream" });
    const text = events.map(
      (event, index) => `id: run-${index}\nevent: x\ndata: ${JSON.stringify(event)}\n\n`,
    );
    const bytes = Buffer.from(`: pidward\n\n${text.join("")}`);
    for (let at = 0; at < bytes.length; at += 7) response.write(bytes.subarray(at, at + 7));
    response.end();
  });
  await new Promise<void>((resolve) => source.listen(own, resolve));
  try {
    await use(`unix://${own}`);
    expect(paths).toEqual(["/api/v1/events?container=web&program=nginx&last=10"]);
  } finally {
    await new Promise((resolve) => source.close(resolve));
  }
}

test("events are lines, with what a container says made safe", async () => {
  const container = { id: "c0ffee", name: "web", image: null, runtime: "docker" };
  const at = { id: "run-1", time: takenAt, container };
  const exited = { ...at, type: "exited", ref: "20@200", pid: 20, program: "nginx", parentPid: 1 };
  const events = [
    {
      ...at,
      type: "started",
      ref: "20@200",
      pid: 20,
      name: "n",
      program: "nginx",
      parentPid: 1,
      command: ["n\u001b[2J", "-v"],
    },
    {
      ...exited,
      name: "n",
      reason: "exit_nonzero",
      exitCode: 3,
      signal: null,
      oomKilled: false,
      lifetimeSeconds: 1.5,
      cpuSeconds: { user: 0.25, system: 0 },
    },
    {
      ...exited,
      name: "n",
      reason: "oom",
      exitCode: null,
      signal: "SIGKILL",
      oomKilled: true,
      lifetimeSeconds: null,
      cpuSeconds: null,
    },
    {
      ...exited,
      name: "n",
      reason: "unknown",
      exitCode: null,
      signal: null,
      oomKilled: null,
      lifetimeSeconds: null,
      cpuSeconds: null,
    },
    {
      ...at,
      type: "restarted",
      program: "nginx",
      driver: "label",
      old: ["20@200"],
      new: ["30@300"],
      seconds: 2.04,
    },
    { ...at, type: "container", state: "exited", previousState: "running", exitCode: 137, oomKilled: true },
  ];
  await streaming(events, async (host) => {
    const { code, out } = await run(["events", "web/nginx", `--host=${host}`]);
    expect(code).toBe(0);
    expect(out.split("\n")).toEqual([
      `${takenAt}  started    web/nginx                 20@200  n\\x1b[2J -v`,
      `${takenAt}  exited     web/nginx                 20@200  n: exit code 3 after 1.50s, 0.250s of CPU`,
      `${takenAt}  exited     web/nginx                 20@200  n: SIGKILL, out of memory`,
      `${takenAt}  exited     web/nginx                 20@200  n: gone`,
      `${takenAt}  restarted  web/nginx                 20@200 -> 30@300 by label in 2.0s`,
      `${takenAt}  container  web                       running -> exited, exit code 137, out of memory`,
      "",
    ]);
  });
  await streaming(events, async (host) => {
    const { out } = await run(["events", "web/nginx", "--json", `--host=${host}`]);
    expect(
      out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(events);
  });
});

test("a refused stream of events is the agent's error", async () => {
  const line = "GET /api/v1/events?type=nothing&last=10";
  answer(line, problem("bad_request", 'query field "type": wrong'), 400);
  expect(await run(["events", "--type", "nothing"])).toMatchObject({
    code: 2,
    err: 'pidward: query field "type": wrong\n',
  });
});
