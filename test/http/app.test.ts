import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import zlib from "node:zlib";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { ProcessQuery, SignalRequest } from "../../agent/api.ts";
import { AgentError } from "../../agent/errors.ts";
import { createReadAccess, createSocketAccess } from "../../agent/http/actor.ts";
import { createApp, listRoutes } from "../../agent/http/app.ts";
import type { AppParts } from "../../agent/http/parts.ts";
import { prefersOpenMetrics } from "../../agent/http/routes/metrics.ts";
import { type Listener, listenTcp, listenUnix } from "../../agent/http/servers.ts";
import { createEventJournal } from "../../agent/inventory/event-journal.ts";
import { silentLogger } from "../../agent/log.ts";
import { makeSnapshot } from "../inventory/table.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-http-"));
const asked: { queries: ProcessQuery[]; signals: unknown[]; errors: string[] } = {
  queries: [],
  signals: [],
  errors: [],
};
let age = 0;
let fails: unknown;
const snapshot = makeSnapshot([{ pid: 1, parentPid: 0, name: "systemd" }]);

const journal = createEventJournal("run", 100, {
  bootSeconds: 1_700_000_000,
  ticksPerSecond: 100,
  pageBytes: 4096,
});

const notUsed = (): never => {
  throw new Error("not used here");
};

const parts: AppParts = {
  snapshot: () => snapshot,
  listProcesses: (query) => {
    asked.queries.push(query);
    if (fails !== undefined) throw fails;
    return { takenAt: "2026-01-01T00:00:00.000Z", total: 0, processes: [], managed: [] };
  },
  getProcess: notUsed,
  listContainers: () => ({ takenAt: "2026-01-01T00:00:00.000Z", total: 0, containers: [] }),
  getContainer: (name) => {
    throw new AgentError("ambiguous", `"${name}" fits 2 containers`, { details: { candidates: ["a", "b"] } });
  },
  hostReport: notUsed,
  renderMetrics: async (_target, format, encoding) => {
    const body = Buffer.from("pidward_up 1\n".repeat(100));
    return {
      contentType: `text/plain; of=${format}`,
      body: encoding === "gzip" ? zlib.gzipSync(body) : body,
    };
  },
  runtimes: () => [
    { name: "docker", endpoint: "unix:///x", available: false, version: null, reason: "away" },
  ],
  signal: async (request: SignalRequest, actor) => {
    asked.signals.push({ request, actor });
    return { action: "signal", signal: "SIGTERM", dryRun: false, targets: [], warnings: [] };
  },
  restart: notUsed,
  exec: notUsed,
  attach: notUsed,
  events: journal,
  audit: { tail: async () => [], listen: () => () => {} },
  onRefused: () => {},
  maxSnapshotAgeMs: 5_000,
  now: () => snapshot.takenAt + age,
  version: "1.2.3",
  telemetryPath: "/metrics",
  controlAddress: "unix:///run/x.sock",
  peerOf: () => ({ uid: 7, gid: 9, pid: 8, user: "ann" }),
  log: { ...silentLogger, error: (message) => asked.errors.push(message) },
};

let reads: Listener;
let acts: Listener;
const socket = path.join(folder, "new/pidward.sock");
beforeAll(async () => {
  reads = await listenTcp(createApp(parts, createReadAccess()), "127.0.0.1", 0);
  acts = await listenUnix(createApp(parts, createSocketAccess(parts)), socket);
});
afterAll(async () => {
  await Promise.all([reads.close(100), acts.close(100)]);
  rmSync(folder, { recursive: true });
});

interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  readonly json: any;
}

function ask(method: string, path: string, options: http.RequestOptions = {}, body?: string): Promise<Reply> {
  const [hostname, port] = reads.address.split(":");
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, path, method, agent: false, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const all = Buffer.concat(chunks);
        const isJson = /json/.test(response.headers["content-type"] ?? "") && all.length > 0;
        const json = isJson ? JSON.parse(all.toString()) : undefined;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: all, json });
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

const onSocket = { socketPath: socket, headers: { "content-type": "application/json" } };

test("a query is checked and handed on with its types", async () => {
  expect((await ask("GET", "/api/v1/processes?state=zombie&limit=5&sort=rss")).status).toBe(200);
  expect(asked.queries.at(-1)).toEqual({ state: "zombie", limit: 5, sort: "rss" });
});

test.each([
  ["limit=abc", "limit"],
  ["limit=0", "limit"],
  ["state=dozing", "state"],
  ["sort=size", "sort"],
  ["name=a&name=b", "name"],
  ["stat=zombie", "did you mean state"],
])("the query %s is refused with the field's name", async (query, words) => {
  const { status, json, headers } = await ask("GET", `/api/v1/processes?${query}`);
  expect({ status, code: json.code }).toEqual({ status: 400, code: "bad_request" });
  expect(json.detail).toContain(words);
  expect(headers["content-type"]).toContain("application/problem+json");
});

test("a body is checked, and the caller is known by the kernel's word", async () => {
  const { status } = await ask(
    "POST",
    "/api/v1/signal",
    onSocket,
    JSON.stringify({ selector: "web/httpd", tree: true }),
  );
  expect(status).toBe(200);
  expect(asked.signals.at(-1)).toEqual({
    request: { selector: "web/httpd", tree: true },
    actor: { uid: 7, gid: 9, pid: 8, user: "ann", from: "unix:///run/x.sock" },
  });
});

test.each([
  ["no JSON", "{", 400],
  ["no object", "[1]", 400],
  ["nothing", "", 400],
  ["a field too many", '{"selector":"1","sudo":true}', 400],
  ["a field of another type", '{"selector":1}', 400],
  ["too large", JSON.stringify({ selector: "x".repeat(66_000) }), 413],
])("a body that is %s is refused", async (_, body, status) => {
  const before = asked.signals.length;
  expect((await ask("POST", "/api/v1/signal", onSocket, body)).status).toBe(status);
  expect(asked.signals).toHaveLength(before);
});

test("a body of another type is refused, as a form from a browser is", async () => {
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const { status, json } = await ask("POST", "/api/v1/signal", { socketPath: socket, headers }, "selector=1");
  expect({ status, detail: json.detail }).toMatchObject({
    status: 400,
    detail: expect.stringContaining("application/json"),
  });
});

test("over TCP nothing acts, whatever the body is", async () => {
  for (const path of ["/api/v1/signal", "/api/v1/restart"]) {
    const { status, json } = await ask("POST", path, {}, "{nonsense");
    expect({ status, code: json.code }).toEqual({ status: 403, code: "no_rights" });
  }
});

test("an error bears its code, its status and its facts", async () => {
  const { status, json } = await ask("GET", "/api/v1/containers/we");
  expect(status).toBe(409);
  expect(json).toMatchObject({ code: "ambiguous", candidates: ["a", "b"], detail: '"we" fits 2 containers' });
});

test("a fault of ours is logged and not told, and the next request is answered", async () => {
  fails = new TypeError("secret detail");
  const { status, body } = await ask("GET", "/api/v1/processes");
  fails = undefined;
  expect(status).toBe(500);
  expect(body.toString()).not.toContain("secret");
  expect(asked.errors).toContain("unexpected error");
  expect((await ask("GET", "/healthz")).status).toBe(200);
});

test("an unknown path, a broken one and a wrong method are told apart", async () => {
  expect((await ask("GET", "/api/v1/proceses")).json.detail).toContain("did you mean /api/v1/processes");
  expect((await ask("GET", "/api/v1/containers/%zz")).status).toBe(400);
  const wrong = await ask("DELETE", "/api/v1/processes");
  expect([wrong.status, wrong.headers.allow]).toEqual([405, "GET"]);
  expect((await ask("HEAD", "/healthz")).status).toBe(200);
});

test("ready while the snapshot is young; an engine that is away is told and does not count", async () => {
  age = 1_000;
  const ready = await ask("GET", "/readyz");
  expect({ status: ready.status, json: ready.json }).toMatchObject({
    status: 200,
    json: { runtimes: [{ reason: "away" }] },
  });
  age = 6_000;
  const old = await ask("GET", "/readyz");
  expect({ status: old.status, json: old.json }).toMatchObject({ status: 503, json: { ready: false } });
});

test("metrics come in the format and the encoding that are accepted", async () => {
  const plain = await ask("GET", "/metrics");
  expect(plain.headers["content-type"]).toContain("of=text");
  const packed = await ask("GET", "/metrics", { headers: { "accept-encoding": "gzip" } });
  expect(packed.headers["content-encoding"]).toBe("gzip");
  expect(zlib.gunzipSync(packed.body).equals(plain.body)).toBe(true);
});

test.each([
  ["application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", true],
  ["application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;q=0.4", true],
  ["text/plain,application/openmetrics-text;q=0.5", false],
  ["application/openmetrics-text;version=0.0.1", false],
  ["*/*", false],
  ["", false],
])("with Accept %s OpenMetrics is given: %s", (accept, open) => {
  expect(prefersOpenMetrics(accept)).toBe(open);
});

test("the description has every route, and each of its references is there", async () => {
  const { json } = await ask("GET", "/api/v1/openapi.json");
  const described = Object.entries(json.paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method} ${path}`),
  );
  expect(described.sort()).toEqual(
    listRoutes(parts)
      .map((one) => `${one.method} ${one.path}`)
      .sort(),
  );
  const references = [...JSON.stringify(json).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
    (match) => match[1] ?? "",
  );
  expect(references.length).toBeGreaterThan(0);
  for (const reference of references) {
    const found = reference.split("/").reduce((at, name) => at?.[name], json);
    expect(found).toBeDefined();
  }
  expect(json.paths["/api/v1/signal"].post.requestBody.content["application/json"].schema.required).toEqual([
    "selector",
  ]);
  const parameters = json.paths["/api/v1/processes"].get.parameters.map((one: { name: string }) => one.name);
  expect(parameters).toContain("selector");
});

test("the socket is for its owner and group only, and a path in the way is named", async () => {
  expect(statSync(socket).mode & 0o777).toBe(0o660);
  const app = createApp(parts, createSocketAccess(parts));
  await expect(listenUnix(app, socket)).rejects.toMatchObject({
    message: expect.stringContaining("another agent"),
  });
  writeFileSync(path.join(folder, "plain"), "");
  await expect(listenUnix(app, path.join(folder, "plain"))).rejects.toMatchObject({ code: "unavailable" });
  expect(existsSync(path.join(folder, "plain"))).toBe(true);
  await expect(listenUnix(app, `${folder}/${"x".repeat(120)}`)).rejects.toMatchObject({
    message: expect.stringContaining("107"),
  });
});

test("closing finishes what is under way and takes nothing new", async () => {
  const own = path.join(folder, "closing.sock");
  let finish = (): void => {};
  const slow = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let reached = (): void => {};
  const underWay = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const tail = async () => {
    reached();
    await slow;
    return [];
  };
  const listener = await listenUnix(
    createApp({ ...parts, audit: { ...parts.audit, tail } }, createSocketAccess(parts)),
    own,
  );
  const answer = ask("GET", "/api/v1/audit", { socketPath: own });
  await underWay;
  const closed = listener.close(10_000);
  finish();
  expect((await answer).status).toBe(200);
  await closed;
  expect(existsSync(own)).toBe(false);
  const refused = await new Promise<string>((resolve) => {
    net.connect(own).on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
  });
  expect(refused).toBe("ENOENT");
});
