import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { type WebSocket, WebSocketServer } from "ws";
import type { ExecAnswer } from "../../agent/api.ts";
import type { Stdio } from "../../agent/cli/command.ts";
import { runCli } from "../../agent/cli/run-cli.ts";
import { waitFor } from "../support/wait-for.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-cli-exec-"));
const socket = path.join(folder, "agent.sock");
let body: unknown;
let answer: ExecAnswer;
let url: URL;
let session: WebSocket | undefined;
let refusal: { status: number; body: unknown } | undefined;

const server = http.createServer(async (request, response) => {
  let text = "";
  for await (const chunk of request) text += chunk;
  body = JSON.parse(text);
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
});
const sockets = new WebSocketServer({ noServer: true });
server.on("upgrade", (request, duplex, head) => {
  url = new URL(request.url ?? "/", "http://agent");
  if (refusal !== undefined) {
    const text = JSON.stringify(refusal.body);
    duplex.end(`HTTP/1.1 ${refusal.status} No\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
    return;
  }
  sockets.handleUpgrade(request, duplex, head, (one) => {
    session = one;
    // Before the other end can have a listener.
    one.send(Buffer.from("first "), { binary: true });
  });
});
beforeAll(() => new Promise<void>((resolve) => server.listen(socket, resolve)));
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  answer = { exitCode: 0, stdout: "", stderr: "", encoding: "utf8", truncated: false, timedOut: false };
  session = undefined;
  refusal = undefined;
});

/** The program's streams, with a terminal when `isTty`. */
class FakeStdio {
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  /** What the terminal was told: true for raw mode. */
  readonly modes: boolean[] = [];
  constructor(isTty = false) {
    if (!isTty) return;
    const setRawMode = (isRaw: boolean): void => void this.modes.push(isRaw);
    Object.assign(this.stdin, { isTTY: true, isRaw: false, setRawMode });
    Object.assign(this.stdout, { isTTY: true, columns: 100, rows: 30 });
  }
}

async function run(argv: readonly string[], stdio = new FakeStdio()) {
  const messages: string[] = [];
  const code = await runCli(argv, {
    out: (text) => void stdio.stdout.write(text),
    err: (text) => void messages.push(text),
    stdio: stdio as unknown as Stdio,
    columns: undefined,
    env: { TERM: "vt100" },
    defaultHost: `unix://${socket}`,
    version: "1.2.3",
    settings: [],
    runAgent: async () => 0,
    examineHost: async () => [],
  });
  const read = (stream: PassThrough): Buffer => stream.read() ?? Buffer.alloc(0);
  return { code, stdout: read(stdio.stdout), stderr: read(stdio.stderr), messages: messages.join("") };
}

test("the bytes of both outputs are written as they are, and the exit code is the command's", async () => {
  const bytes = Buffer.from([0, 255, 10, 27, 128]);
  answer = { ...answer, exitCode: 42, encoding: "base64", stdout: bytes.toString("base64"), stderr: "gA==" };
  const { code, stdout, stderr, messages } = await run(["exec", "web", "--", "cat", "-v", "--", "x"]);
  expect([code, messages]).toEqual([42, ""]);
  expect([[...stdout], [...stderr]]).toEqual([[...bytes], [128]]);
  expect(body).toEqual({ container: "web", argv: ["cat", "-v", "--", "x"] });
});

test("flags stand before -- and go on; what stands behind it is the command's, --help too", async () => {
  const flags = ["-u", "app", "--workdir=/srv", "-e", "A=1", "--env", "B=2=3", "--timeout", "1m30s"];
  await run(["exec", ...flags, "--max-output=5", "web", "--", "df", "-h", "--help"]);
  expect(body).toEqual({
    container: "web",
    argv: ["df", "-h", "--help"],
    user: "app",
    workdir: "/srv",
    env: { A: "1", B: "2=3" },
    timeoutSeconds: 90,
    maxOutputBytes: 5,
  });
});

test("-i hands the standard input on, byte by byte; without it that is left alone", async () => {
  const stdio = new FakeStdio();
  stdio.stdin.end(Buffer.from([255, 0]));
  await run(["exec", "-i", "web", "--", "cat"], stdio);
  expect(body).toMatchObject({ stdin: "/wA=", stdinEncoding: "base64" });
  const large = new FakeStdio();
  large.stdin.end(Buffer.alloc(9_000_000));
  expect(await run(["exec", "-i", "web", "--", "cat"], large)).toMatchObject({ code: 2 });
});

test.each<[Partial<ExecAnswer>, number, string]>([
  [{ timedOut: true, exitCode: 143 }, 124, "--timeout"],
  [{ truncated: true, exitCode: 143 }, 143, "--max-output"],
  [{ exitCode: null }, 6, "not known"],
])("%j ends with %i and a word on why", async (facts, code, words) => {
  answer = { ...answer, ...facts, stdout: "before" };
  const result = await run(["exec", "web", "--", "x"]);
  expect([result.code, String(result.stdout)]).toEqual([code, "before"]);
  expect(result.messages).toContain(words);
});

test("--json prints the answer, with the same exit code", async () => {
  answer = { ...answer, exitCode: 3, stdout: "x" };
  const { code, stdout } = await run(["exec", "--json", "web", "--", "x"]);
  expect([code, JSON.parse(String(stdout))]).toEqual([3, answer]);
});

test.each<[readonly string[], string]>([
  [["exec", "web", "ls", "-l"], "behind --"],
  [["exec", "web", "git", "log", "--", "file"], "behind --"],
  [["exec", "--", "web", "ls"], "behind --"],
  [["exec", "web", "--"], "exec needs CONTAINER"],
  [["exec", "--env", "A", "web", "--", "x"], '--env: "A" is not NAME=VALUE'],
  [["exec", "--timeout=soon", "web", "--", "x"], "--timeout"],
  [["exec", "-x", "web", "--", "x"], "unknown flag -x of exec"],
  [["exec", "-it", "web", "--", "x"], "needs a terminal"],
  [["exec", "-t", "--json", "web", "--", "x"], "no sense"],
])("%j is wrong usage, with words", async (argv, words) => {
  const { code, messages } = await run(argv);
  expect([code, messages]).toEqual([2, expect.stringContaining(words)]);
});

const opened = () => waitFor("the session", () => session);

test("a terminal is raw while the session lasts, learns of sizes, and is put back", async () => {
  const stdio = new FakeStdio(true);
  const running = run(["exec", "-it", "-u", "app", "web", "--", "sh", "-l"], stdio);
  const one = await opened();
  const received: string[] = [];
  one.on("message", (data, isBinary) => received.push(`${isBinary}: ${data}`));
  expect([...url.searchParams]).toEqual([
    ["container", "web"],
    ["argv", "sh"],
    ["argv", "-l"],
    ["user", "app"],
    ["env", "TERM=vt100"],
    ["cols", "100"],
    ["rows", "30"],
  ]);
  await waitFor("raw mode", () => stdio.modes.length > 0);
  stdio.stdin.write("\u0003");
  Object.assign(stdio.stdout, { columns: 80, rows: 24 });
  stdio.stdout.emit("resize");
  await waitFor("both", () => received.length === 2);
  expect(received.sort()).toEqual(['false: {"type":"resize","cols":80,"rows":24}', "true: \u0003"]);
  one.send(Buffer.from("last"), { binary: true });
  one.send(JSON.stringify({ type: "exit", exitCode: 7 }));
  one.close(1000);
  const { code, stdout } = await running;
  expect([code, String(stdout)]).toEqual([7, "first last"]);
  expect(stdio.modes).toEqual([true, false]);
});

test("a session that was ended says why, and leaves no other screen or hidden cursor behind", async () => {
  const stdio = new FakeStdio(true);
  const running = run(["exec", "-it", "web", "--", "vi"], stdio);
  const one = await opened();
  one.send(JSON.stringify({ type: "error", status: 502, code: "failed", detail: "idle", title: "" }));
  one.close(1011);
  const { code, messages, stdout } = await running;
  expect([code, messages]).toEqual([6, "pidward: idle\n"]);
  expect(String(stdout)).toContain("\u001b[?1049l\u001b[?25h");
  expect(stdio.modes).toEqual([true, false]);
});

test("an agent that breaks off is unavailable, and the terminal is put back", async () => {
  const stdio = new FakeStdio(true);
  const running = run(["exec", "-it", "web", "--", "vi"], stdio);
  (await opened()).terminate();
  expect(await running).toMatchObject({ code: 7, messages: expect.stringContaining("broke off") });
  expect(stdio.modes).toEqual([true, false]);
});

test("what the agent refuses is its own error, and the terminal was never touched", async () => {
  const stdio = new FakeStdio(true);
  refusal = { status: 409, body: { code: "not_running", detail: "web is paused", status: 409 } };
  const result = await run(["exec", "-it", "web", "--", "sh"], stdio);
  expect(result).toMatchObject({ code: 5, messages: "pidward: web is paused\n" });
  expect(stdio.modes).toEqual([]);
});

test("-t without -i shows the terminal and leaves the keyboard alone", async () => {
  const stdio = new FakeStdio(true);
  const running = run(["exec", "-t", "web", "--", "top"], stdio);
  const one = await opened();
  one.send(JSON.stringify({ type: "exit", exitCode: 0 }));
  one.close(1000);
  expect((await running).code).toBe(0);
  expect(stdio.modes).toEqual([]);
});
