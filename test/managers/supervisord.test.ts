import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { InsideProcess, Manager, ManagerParts } from "../../agent/managers/manager.ts";
import { createSupervisordFinder } from "../../agent/managers/supervisord.ts";
import type { Container } from "../../agent/model.ts";
import { loadSyscalls, type Syscalls } from "../../agent/syscalls.ts";

// A folder in the place of /proc, with a supervisord 42 whose children 50 and 51 are 7 and 8 for themselves.
const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-supervisord-"));
const procRoot = path.join(scratch, "proc");
const root = path.join(procRoot, "42/root");
const socketPath = path.join(root, "run/s.sock");
const ref = { pid: 42, startTicks: 1000 };
let syscalls: Syscalls;
let life = ref.startTicks;
let state = "S";
let servers: net.Server[] = [];
let sockets: net.Socket[] = [];

beforeAll(async () => {
  syscalls = await loadSyscalls();
  for (const folder of ["etc", "run"]) mkdirSync(path.join(root, folder), { recursive: true });
  symlinkSync("/run", path.join(root, "var"));
  mkdirSync(path.join(procRoot, "42/task/42"), { recursive: true });
  writeFileSync(path.join(procRoot, "42/task/42/children"), "50 51 ");
  for (const [pid, inside] of [
    [50, 7],
    [51, 8],
  ]) {
    mkdirSync(path.join(procRoot, String(pid)));
    writeFileSync(path.join(procRoot, `${pid}/status`), `Name:\tweb\nNSpid:\t${pid}\t${inside}\n`);
  }
});

beforeEach(() => {
  life = ref.startTicks;
  state = "S";
  configure("[unix_http_server]\nfile=/var/s.sock\n");
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  servers = [];
  sockets = [];
});
afterAll(() => rmSync(scratch, { recursive: true }));

const configure = (text: string): void => writeFileSync(path.join(root, "etc/supervisord.conf"), text);

async function listen(server: net.Server): Promise<void> {
  server.on("connection", (socket: net.Socket) => sockets.push(socket.on("error", () => {})));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
}

type Respond = (body: string, response: http.ServerResponse, request: http.IncomingMessage) => void;

const serve = (respond: Respond): Promise<void> =>
  listen(
    http.createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => respond(body, response, request));
    }),
  );

const value = (text: string): string =>
  `<methodResponse><params><param><value>${text}</value></param></params></methodResponse>`;
const fault = (code: number, text: string): string =>
  `<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>${code}</int></value></member><member><name>faultString</name><value>${text}</value></member></struct></value></fault></methodResponse>`;
const program = (name: string, code: number, pid: number, more = ""): string =>
  `<struct>${Object.entries({ name, group: name, state: `<int>${code}</int>`, pid: `<int>${pid}</int>` })
    .map(([key, text]) => `<member><name>${key}</name><value>${text}</value></member>`)
    .join("")}${more}</struct>`;
const list = (...programs: readonly string[]): string =>
  value(`<array><data>${programs.map((one) => `<value>${one}</value>`).join("")}</data></array>`);

const container: Container = {
  id: "c".repeat(64),
  runtime: "docker",
  name: "shop",
  image: null,
  labels: {},
  state: "running",
  initPid: 42,
  createdAt: null,
  startedAt: null,
  health: null,
  restartCount: null,
  exitCode: null,
  oomKilled: false,
  restartPolicy: null,
  known: true,
};

function manager(): Manager {
  const parts: ManagerParts = {
    runInside: async () => {
      throw new Error("nothing is to be run inside");
    },
    procRoot,
    syscalls,
    readStat: () => ({ startTicks: life, state: state.charCodeAt(0) }),
    readEnviron: () => [],
    readLink: (_pid, name) => (name === "cwd" ? "/" : "mnt:[1]"),
    monotonicMs: () => performance.now(),
  };
  const process: InsideProcess = {
    ref,
    parentPid: 1,
    containerPid: 1,
    name: "supervisord",
    command: ["/usr/bin/supervisord"],
    cgroup: "",
  };
  const [found] = createSupervisordFinder(parts).find(container, [process]);
  if (found === undefined) throw new Error("it is not found");
  return found;
}

async function failureOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return `${Reflect.get(Object(error), "code")}: ${Reflect.get(Object(error), "message")}`;
  }
  throw new Error("the call did not fail");
}

const away = "unavailable: supervisord in shop cannot be called: ";

test("PIDs count only for supervisord's own children, whatever it says", async () => {
  await serve((_body, response) =>
    response.end(
      list(program("web", 20, 7), program("liar", 20, 1), program("odd", 20, -8), program("off", 0, 0)),
    ),
  );
  const programs = await manager().list();
  expect(programs.map(({ name, pid }) => [name, pid])).toEqual([
    ["liar", null],
    ["odd", null],
    ["off", null],
    ["web", 50],
  ]);
});

test("a name with control characters or without an end is left out, and a remark is bounded", async () => {
  const error = `<member><name>spawnerr</name><value>x\n\x1b[2J${"y".repeat(1000)}</value></member>`;
  await serve((_body, response) =>
    response.end(
      list(program("a\x1b[2J", 20, 7), program("b".repeat(300), 20, 7), program("web", 200, 0, error)),
    ),
  );
  const [web, ...others] = await manager().list();
  expect(others).toEqual([]);
  expect(web).toMatchObject({ name: "web", state: "FATAL", condition: "failed" });
  expect(web?.remark).toMatch(/^x \[2Jy{200,295}…$/);
});

test("a server that never answers, or drips, is given up after its limit", async () => {
  await serve((body, response) => {
    if (!body.includes("getAllProcessInfo")) return;
    const drip = setInterval(() => response.write(" "), 100);
    response.on("close", () => clearInterval(drip));
  });
  expect(await failureOf(manager().list())).toBe(`${away}no answer within 5 s`);
  await new Promise((resolve) => servers.pop()?.close(resolve) ?? resolve(undefined));
  await listen(net.createServer(() => {}));
  expect(await failureOf(manager().list())).toBe(`${away}no answer within 5 s`);
}, 30_000);

test("an answer without an end is cut off", async () => {
  let sent = 0;
  await serve((_body, response) => {
    const chunk = Buffer.alloc(64 << 10, "x");
    const more = (): void => {
      while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      sent += chunk.length;
    };
    response.on("drain", more);
    more();
  });
  expect(await failureOf(manager().list())).toBe(`${away}it answered more than 1048576 bytes`);
  expect(sent).toBeLessThan(16 << 20);
});

test("headers without an end, other protocols and other answers are told", async () => {
  const answers: readonly [string, string][] = [
    [`HTTP/1.1 200 OK\r\nx: ${"y".repeat(100_000)}`, "Parse Error: Header overflow"],
    ["SSH-2.0-OpenSSH\r\n", "Parse Error: Expected HTTP"],
    ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "its answer is no XML-RPC"],
    ["HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "it answered HTTP 404"],
    [
      "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n",
      "it answered HTTP 302",
    ],
    [
      "HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n",
      "it wants a user and a password, and its configuration names none",
    ],
    ["HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "it closed the connection"],
    ["", "socket hang up"],
  ];
  let next = "";
  await listen(net.createServer((socket) => socket.on("data", () => socket.end(next))));
  for (const [text, reason] of answers) {
    next = text;
    expect(await failureOf(manager().list())).toContain(away + reason);
  }
});

test("user and password go with the call, and what is refused is told without them", async () => {
  configure("[unix_http_server]\nfile=/run/s.sock\nusername=ops\npassword=s3cr:t\n");
  let authorization: string | undefined;
  await serve((_body, response, request) => {
    authorization = request.headers.authorization;
    response.writeHead(401).end();
  });
  const message = await failureOf(manager().list());
  expect(message).toBe(`${away}it refused the user and the password of its configuration (HTTP 401)`);
  expect(authorization).toBe(`Basic ${Buffer.from("ops:s3cr:t").toString("base64")}`);
});

test("faults become sentences that quote them", async () => {
  let answers: Readonly<Record<string, string>> = {};
  await serve((body, response) => {
    const method = /supervisor\.(\w+)/.exec(body)?.[1] ?? "";
    response.end(answers[method] ?? fault(1, "UNKNOWN_METHOD"));
  });
  const all = list(program("web", 20, 7));
  const sentences: readonly [string, string][] = [
    [fault(50, "SPAWN_ERROR: web"), "SPAWN_ERROR (50): the program could not be started or ended at once"],
    [
      fault(40, "ABNORMAL_TERMINATION: web"),
      "ABNORMAL_TERMINATION (40): the program ended before its startsecs were over",
    ],
    [fault(20, "NO_FILE: can't find command '/x'"), "NO_FILE (20): can't find command '/x'"],
    [fault(6, "SHUTDOWN_STATE"), "SHUTDOWN_STATE (6): it is shutting down"],
    [fault(4711, "much later"), "UNKNOWN (4711): much later"],
    [fault(4711, ""), "UNKNOWN (4711): it gives no reason"],
  ];
  for (const [startProcess, sentence] of sentences) {
    answers = {
      getAllProcessInfo: all,
      stopProcess: value("<boolean>1</boolean>"),
      getProcessInfo: value(program("web", 0, 0)),
      startProcess,
    };
    expect(await failureOf(manager().restart("web"))).toBe(
      `failed: supervisord in shop refused startProcess "web": ${sentence}`,
    );
  }
  answers = { getAllProcessInfo: all, stopProcess: fault(10, "BAD_NAME: web") };
  expect(await failureOf(manager().restart("web"))).toBe(
    'not_found: supervisord in shop refused stopProcess "web": BAD_NAME (10): it has no program of that name',
  );
  answers = { getAllProcessInfo: value("<int>1</int>") };
  expect(await failureOf(manager().list())).toBe(
    "unavailable: supervisord in shop answered getAllProcessInfo with something else than programs",
  );
});

test("one that another stops or starts meanwhile is no failure", async () => {
  const calls: string[] = [];
  let running = false;
  await serve((body, response) => {
    const method = /supervisor\.(\w+)/.exec(body)?.[1] ?? "";
    calls.push(method);
    if (method === "startProcess") running = true;
    const answers: Readonly<Record<string, string>> = {
      getAllProcessInfo: list(program("web", 0, 0)),
      getAllConfigInfo: list(),
      stopProcess: fault(70, "NOT_RUNNING: web"),
      startProcess: fault(60, "ALREADY_STARTED: web"),
      getProcessInfo: value(program("web", running ? 20 : 0, running ? 7 : 0)),
    };
    response.end(answers[method]);
  });
  await manager().restart("web");
  expect(calls).toEqual([
    "getAllProcessInfo",
    "getAllConfigInfo",
    "stopProcess",
    "getProcessInfo",
    "startProcess",
    "getProcessInfo",
  ]);
});

test("a PID that has been reused, and a process that is stopped, get no call", async () => {
  let calls = 0;
  await serve((_body, response) => {
    calls++;
    response.end(list());
  });
  state = "T";
  expect(await failureOf(manager().list())).toBe(
    `${away}it is stopped (SIGSTOP or a debugger) and would not answer`,
  );
  state = "S";
  life++;
  expect(await failureOf(manager().list())).toBe(`${away}it has ended`);
  expect(calls).toBe(0);
});

test("what is no socket, or leads outside, is not connected to", async () => {
  configure("[unix_http_server]\nfile=/etc/supervisord.conf\n");
  expect(await failureOf(manager().list())).toBe(`${away}there is no socket /etc/supervisord.conf`);
  const outside = path.join(scratch, "host.sock");
  let calls = 0;
  const host = net.createServer(() => calls++);
  servers.push(host);
  await new Promise<void>((resolve) => host.listen(outside, resolve));
  for (const target of [outside, "../../../host.sock", "../../../../host.sock"]) {
    rmSync(path.join(root, "run/link.sock"), { force: true });
    symlinkSync(target, path.join(root, "run/link.sock"));
    configure("[unix_http_server]\nfile=/run/link.sock\n");
    expect(await failureOf(manager().list())).toBe(`${away}there is no socket /run/link.sock`);
  }
  expect(calls).toBe(0);
});
