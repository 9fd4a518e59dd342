import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import type { AttachQuery, ExecAnswer, ExecRequest } from "../../agent/api.ts";
import { AgentError } from "../../agent/errors.ts";
import { createReadAccess, createSocketAccess } from "../../agent/http/actor.ts";
import { createApp } from "../../agent/http/app.ts";
import { type AttachDoor, createAttachDoor } from "../../agent/http/attach.ts";
import type { AppParts, TerminalSession } from "../../agent/http/parts.ts";
import { type Listener, listenUnix } from "../../agent/http/servers.ts";
import { silentLogger } from "../../agent/log.ts";
import { TestTerminal } from "../support/test-terminal.ts";
import { waitFor } from "../support/wait-for.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-exec-"));
const socketPath = path.join(folder, "acts.sock");
const readsPath = path.join(folder, "reads.sock");

/** A terminal that the test plays. */
class FakeSession implements TerminalSession {
  readonly output = new PassThrough();
  readonly written: string[] = [];
  readonly sizes: string[] = [];
  readonly takers: (() => void)[] = [];
  /** Does not take what is written. */
  holds = false;
  closed = 0;
  leave: (code: number | null) => void = () => {};
  fail: (error: AgentError) => void = () => {};
  readonly exit = new Promise<number | null>((resolve) => {
    this.leave = resolve;
  });
  readonly cut = new Promise<AgentError>((resolve) => {
    this.fail = resolve;
  });
  write(bytes: Buffer, taken: () => void): void {
    this.written.push(bytes.toString("latin1"));
    if (this.holds) this.takers.push(taken);
    else taken();
  }
  resize(columns: number, rows: number): void {
    this.sizes.push(`${columns}x${rows}`);
  }
  async close(): Promise<void> {
    this.closed++;
    this.output.end();
  }
  end(code: number): void {
    this.leave(code);
    this.output.end();
  }
}

const asked: { exec?: ExecRequest; attach?: AttachQuery; gone?: AbortSignal } = {};
const errors: string[] = [];
let answer: (gone: AbortSignal) => Promise<ExecAnswer>;
let session = new FakeSession();
let refusal: unknown;
const parts = {
  exec: async (request, _, gone) => {
    asked.exec = request;
    asked.gone = gone;
    return answer(gone);
  },
  attach: async (query) => {
    asked.attach = query;
    if (refusal !== undefined) throw refusal;
    return session;
  },
  peerOf: () => ({ uid: 7, gid: 7, pid: 8, user: "ann" }),
  controlAddress: "unix:///run/x.sock",
  version: "1.2.3",
  telemetryPath: "/metrics",
  log: { ...silentLogger, error: (message: string) => errors.push(message) },
} as Partial<AppParts> as AppParts;

const done: ExecAnswer = {
  exitCode: 0,
  stdout: "",
  stderr: "",
  encoding: "utf8",
  truncated: false,
  timedOut: false,
};

let door: AttachDoor;
let listeners: Listener[];
beforeAll(async () => {
  door = createAttachDoor(parts, createSocketAccess(parts), 100);
  const reads = createAttachDoor(parts, createReadAccess());
  listeners = [
    await listenUnix(createApp(parts, createSocketAccess(parts)), socketPath, door.upgrade),
    await listenUnix(createApp(parts, createReadAccess()), readsPath, reads.upgrade),
  ];
});
afterAll(async () => {
  await Promise.all(listeners.map((listener) => listener.close(100)));
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  session = new FakeSession();
  refusal = undefined;
});

function post(body: unknown, path = socketPath): Promise<{ status: number; json: { detail: string } }> {
  const headers = { "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const request = http.request(
      { socketPath: path, path: "/api/v1/exec", method: "POST", headers, agent: false },
      async (response) => {
        let text = "";
        for await (const chunk of response) text += chunk;
        resolve({ status: response.statusCode ?? 0, json: JSON.parse(text) });
      },
    );
    request.once("error", reject);
    request.end(JSON.stringify(body));
  });
}

const query = { container: "web", argv: ["sh"] };

async function open(more: Readonly<Record<string, string>> = {}): Promise<TestTerminal> {
  const terminal = await TestTerminal.open(socketPath, { ...query, ...more });
  if (!(terminal instanceof TestTerminal)) throw new Error(terminal.body);
  return terminal;
}

async function refused(
  search: Readonly<Record<string, string | readonly string[]>>,
  headers = {},
  path = socketPath,
) {
  const terminal = await TestTerminal.open(path, search, headers);
  if (terminal instanceof TestTerminal) throw new Error("it was not refused");
  return JSON.parse(terminal.body);
}

test("a command goes on with its types, also with megabytes of input", async () => {
  answer = async () => done;
  const body = { ...query, env: { A: "b" }, stdin: "x".repeat(4_000_000), timeoutSeconds: 1.5 };
  expect(await post(body)).toEqual({ status: 200, json: done });
  expect(asked.exec).toEqual(body);
  expect((await post({ ...query, stdin: "x".repeat(13_000_000) })).status).toBe(413);
});

test.each([
  [{ argv: ["sh"] }, "container"],
  [{ ...query, argv: [] }, "argv"],
  [{ ...query, argv: [""] }, "argv"],
  [{ ...query, argv: ["a\0b"] }, "argv"],
  [{ ...query, workdir: "tmp" }, "workdir"],
  [{ ...query, env: { "A=": "x" } }, "env"],
  [{ ...query, env: ["A=x"] }, "env"],
  [{ ...query, timeoutSeconds: 3601 }, "timeoutSeconds"],
  [{ ...query, timeoutSeconds: 0 }, "timeoutSeconds"],
  [{ ...query, maxOutputBytes: 1e9 }, "maxOutputBytes"],
  [{ ...query, stdin: "!!", stdinEncoding: "base64" }, "stdin"],
  [{ ...query, tty: true }, "tty"],
])("the body %j is refused with the field's name", async (body, field) => {
  const { status, json } = await post(body);
  expect([status, json.detail]).toEqual([400, expect.stringContaining(field)]);
});

test("a client that closes its connection is told of; one that is answered is not", async () => {
  answer = async () => done;
  await post(query);
  expect(asked.gone?.aborted).toBe(false);
  let reached = false;
  answer = (gone) => {
    reached = true;
    return new Promise((resolve) => gone.addEventListener("abort", () => resolve(done)));
  };
  const request = http.request({
    socketPath,
    path: "/api/v1/exec",
    method: "POST",
    headers: { "content-type": "application/json" },
  });
  request.on("error", () => {});
  request.end(JSON.stringify(query));
  await waitFor("the request", () => reached);
  request.destroy();
  await waitFor("the abort", () => asked.gone?.aborted);
});

test("bytes go both ways as they are, sizes are told, and the exit code comes last", async () => {
  const terminal = await open({ cols: "100", rows: "30", user: "app" });
  expect(asked.attach).toEqual({ ...query, user: "app", cols: 100, rows: 30 });
  terminal.type("\u0000\u00ff\u001b[A");
  terminal.order({ type: "resize", cols: 80, rows: 24 });
  session.output.write(Buffer.from([0, 255, 27]));
  await waitFor("the bytes", () => terminal.text === "\u0000\u00ff\u001b" && session.sizes.length > 0);
  expect([session.written, session.sizes]).toEqual([["\u0000\u00ff\u001b[A"], ["80x24"]]);
  session.end(42);
  expect(await terminal.ended()).toBe(42);
  expect(terminal.received).toBe(3);
});

test("repeated fields are lists, and a single one twice is refused", async () => {
  const terminal = await TestTerminal.open(socketPath, {
    container: "web",
    argv: ["sh", "-c", "a b"],
    env: ["A=1", "B=2"],
  });
  expect(terminal).toBeInstanceOf(TestTerminal);
  expect(asked.attach).toEqual({ container: "web", argv: ["sh", "-c", "a b"], env: ["A=1", "B=2"] });
  session.end(0);
  expect(await refused({ ...query, user: ["a", "b"] })).toMatchObject({ status: 400, field: "user" });
  expect(await refused({ ...query, env: ["A"] })).toMatchObject({ status: 400 });
});

test("what is wrong is told by a problem document before anything starts", async () => {
  delete asked.attach;
  expect(await refused(query, {}, readsPath)).toMatchObject({ status: 403, code: "no_rights" });
  for (const origin of ["https://evil.example", "null", "http://pidward.evil.example", "nonsense"])
    expect(await refused(query, { origin })).toMatchObject({ status: 403, code: "no_rights" });
  expect(await refused({ ...query, rows: "none" })).toMatchObject({ status: 400, field: "rows" });
  expect(asked.attach).toBeUndefined();
  refusal = new AgentError("not_running", "it is paused");
  expect(await refused(query)).toMatchObject({ status: 409, code: "not_running", detail: "it is paused" });
  refusal = new TypeError("secret");
  expect(await refused(query)).toMatchObject({ status: 500, code: "internal" });
  expect(errors).toContain("unexpected error");
});

test("the agent's own page may attach, and other upgrades and plain requests are told what is taken", async () => {
  const own = await TestTerminal.open(socketPath, query, { origin: "http://pidward" });
  expect(own).toBeInstanceOf(TestTerminal);
  session.end(0);
  const ask = (headers: http.OutgoingHttpHeaders, url: string): Promise<number> =>
    new Promise((resolve, reject) => {
      http
        .get({ socketPath, path: url, headers, agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        })
        .once("error", reject);
    });
  const search = "container=web&argv=sh";
  expect(await ask({}, `/api/v1/attach?${search}`)).toBe(400);
  const upgrade = { connection: "upgrade", upgrade: "h2c" };
  expect(await ask(upgrade, `/api/v1/attach?${search}`)).toBe(400);
  const webSocket = { connection: "upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
  expect(await ask(webSocket, `/api/v1/attach?${search}`)).toBe(400);
  expect(await ask({ ...webSocket, "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" }, "/other")).toBe(404);
});

test("a client that leaves closes the session", async () => {
  const terminal = await open();
  terminal.socket.terminate();
  await waitFor("the end", () => session.closed > 0);
});

test("a limit's reason and an engine's fault come as a notice", async () => {
  const idle = await open();
  session.fail(new AgentError("failed", "idle for long"));
  expect(await idle.ended()).toBe("failed");
  expect(idle.notice).toMatchObject({ type: "error", status: 502, detail: "idle for long" });
  session = new FakeSession();
  const broken = await open();
  session.output.destroy(new AgentError("unavailable", "the engine is away"));
  expect(await broken.ended()).toBe("unavailable");
});

test("a text message that is no order ends the session", async () => {
  for (const text of ["nonsense", '{"type":"resize","cols":0,"rows":1}', '{"type":"kill"}']) {
    const terminal = await open();
    terminal.socket.send(text);
    expect(await terminal.ended()).toBe("bad_request");
    await waitFor("the end", () => session.closed > 0);
    session = new FakeSession();
  }
});

test("a client that does not read holds the command back, and is not taken for gone while it takes something", async () => {
  const terminal = await open();
  terminal.socket.pause();
  const piece = Buffer.alloc(64 * 1024);
  let sent = 0;
  const held = (): boolean => session.output.writableLength > 0;
  while (!held() && sent < 64) {
    session.output.write(piece);
    sent++;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(sent).toBeLessThan(64);
  terminal.socket.resume();
  await waitFor("the rest", () => terminal.received === sent * piece.length);
  session.end(0);
  expect(await terminal.ended()).toBe(0);
});

test("a command that does not read holds the client back", async () => {
  session.holds = true;
  const terminal = await open();
  for (let round = 0; round < 200; round++) terminal.type("x".repeat(16_384));
  await waitFor("the client to be held back", () => terminal.socket.bufferedAmount > 0);
  expect(session.written.length).toBeLessThan(40);
  session.holds = false;
  for (const taken of session.takers.splice(0)) taken();
  await waitFor("all of it", () => session.written.length === 200);
  session.end(0);
  expect(await terminal.ended()).toBe(0);
});

test("a client that gives no sign of life is gone", async () => {
  const terminal = await open();
  // Neither reads nor answers pings, as behind a cable that was pulled.
  terminal.socket.pause();
  await waitFor("the end", () => session.closed > 0);
});

test("closing the door tells every client and takes no more", async () => {
  const own = createAttachDoor(parts, createSocketAccess(parts));
  const file = path.join(folder, "closing.sock");
  const listener = await listenUnix(createApp(parts, createSocketAccess(parts)), file, own.upgrade);
  const terminal = await TestTerminal.open(file, query);
  if (!(terminal instanceof TestTerminal)) throw new Error(terminal.body);
  await own.close();
  expect(await terminal.ended()).toBe("unavailable");
  expect(session.closed).toBeGreaterThan(0);
  expect(await refused(query, {}, file)).toMatchObject({ status: 503 });
  await listener.close(100);
});
