import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import express from "express";
import type { AuditQuery, AuditRecord } from "../../agent/api.ts";
import { AgentError } from "../../agent/errors.ts";
import { createErrorHandler } from "../../agent/http/error-handler.ts";
import type { AppParts, AuditFeed } from "../../agent/http/parts.ts";
import { auditRoutes } from "../../agent/http/routes/audit.ts";
import { type Listener, listenUnix } from "../../agent/http/servers.ts";
import { validate } from "../../agent/http/validate.ts";
import { silentLogger } from "../../agent/log.ts";
import { waitFor } from "../support/wait-for.ts";
import { nobody } from "./nobody.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-audit-"));
const socketPath = path.join(folder, "audit.sock");
const warnings: string[] = [];
let listener: Listener;

/** An audit in memory that can be held up. */
class FakeAudit implements AuditFeed {
  records: AuditRecord[] = [];
  queries: AuditQuery[] = [];
  failure: AgentError | undefined;
  gate: Promise<void> = Promise.resolve();
  readonly listeners = new Set<{ take: (record: AuditRecord) => void; onClose: () => void }>();

  async tail(query: AuditQuery): Promise<readonly AuditRecord[]> {
    this.queries.push(query);
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    return this.records.slice(-(query.limit ?? 100));
  }

  listen(_: AuditQuery, take: (record: AuditRecord) => void, onClose: () => void): () => void {
    const one = { take, onClose };
    this.listeners.add(one);
    return () => void this.listeners.delete(one);
  }

  add(record: AuditRecord): void {
    this.records.push(record);
    for (const { take } of this.listeners) take(record);
  }
}

let audit = new FakeAudit();
beforeEach(() => {
  audit = new FakeAudit();
});

beforeAll(async () => {
  const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
  const feed: AuditFeed = {
    tail: (query) => audit.tail(query),
    listen: (query, take, onClose) => audit.listen(query, take, onClose),
  };
  const [one] = auditRoutes({ audit: feed, log } as unknown as AppParts);
  if (one?.query === undefined) throw new Error("no route");
  const { query: schema, handle, path: where } = one;
  const app = express();
  app.get(where, async (request, response) => {
    const query = validate(schema, request.query, "query");
    const answer = await handle({ params: {}, query, body: undefined, request, response, caller: nobody });
    if (answer !== undefined) response.json(answer);
  });
  app.use(createErrorHandler(log));
  listener = await listenUnix(app, socketPath);
});
afterAll(async () => {
  await listener.close(100);
  rmSync(folder, { recursive: true });
});

function record(id: string, facts: Partial<AuditRecord> = {}): AuditRecord {
  return {
    time: "2026-01-01T00:00:00.000Z",
    id,
    phase: "intent",
    actor: null,
    action: "signal",
    selector: "web",
    refs: [],
    container: null,
    containerName: null,
    how: null,
    outcome: null,
    exitCode: null,
    message: null,
    ...facts,
  };
}

class Reader {
  text = "";
  ended = false;
  status = 0;
  private readonly request: http.ClientRequest;

  constructor(query: string) {
    this.request = http.get({ socketPath, path: `/api/v1/audit${query}`, agent: false }, (response) => {
      this.status = response.statusCode ?? 0;
      response.on("data", (chunk) => {
        this.text += chunk;
      });
      response.once("close", () => {
        this.ended = true;
      });
    });
    this.request.on("error", () => {});
  }

  get told(): readonly string[] {
    return [...this.text.matchAll(/^event: (\w+)\ndata: (.*)\n\n/gm)].map(
      ([, type, data]) => `${JSON.parse(data ?? "").id} ${type}`,
    );
  }

  stop(): void {
    this.request.destroy();
  }
}

test("without following, the last records are one answer, narrowed as asked", async () => {
  audit.records = [record("1"), record("2")];
  const reader = new Reader("?limit=1&container=web&user=root&action=exec");
  await waitFor("the answer", () => reader.ended);
  expect(JSON.parse(reader.text)).toEqual({ records: [record("2")] });
  expect(audit.queries).toEqual([{ limit: 1, container: "web", user: "root", action: "exec" }]);
});

test("following tells the last ones, what came while they were read, and those to come, each once", async () => {
  let open = (): void => {};
  audit.gate = new Promise((resolve) => {
    open = resolve;
  });
  audit.records = [record("1")];
  const reader = new Reader("?follow=true");
  await waitFor("the listening", () => audit.listeners.size === 1);
  audit.add(record("1", { phase: "outcome" }));
  open();
  await waitFor("the beginning", () => reader.told.length === 2);
  audit.add(record("2"));
  await waitFor("the third", () => reader.told.length === 3);
  expect(reader.told).toEqual(["1 intent", "1 outcome", "2 intent"]);
  reader.stop();
  await waitFor("the end of the listening", () => audit.listeners.size === 0);
});

test("what cannot be read is an error, also when it is to be followed", async () => {
  audit.failure = new AgentError("unavailable", "EIO");
  const reader = new Reader("?follow=true");
  await waitFor("the answer", () => reader.ended);
  expect(reader.status).toBe(503);
  expect(audit.listeners.size).toBe(0);
});

test.each(["?limit=-1", "?limit=many", "?action=nothing", "?follow=perhaps", "?usr=web"])(
  "%s is a bad request that names the field",
  async (query) => {
    const reader = new Reader(query);
    await waitFor("the answer", () => reader.ended);
    expect(reader.status).toBe(400);
    expect(reader.text).toContain(/\?(\w+)=/.exec(query)?.[1]);
  },
);

test("a reader that does not keep up is cut off, never waited for", async () => {
  const slow = net.connect(socketPath);
  slow.pause();
  slow.write("GET /api/v1/audit?follow=true HTTP/1.1\r\nHost: x\r\n\r\n");
  await waitFor("the listening", () => audit.listeners.size === 1);
  const other = new Reader("?follow=true&limit=0");
  await waitFor("both", () => audit.listeners.size === 2 && other.text !== "");
  const closed = new Promise((resolve) => slow.once("close", resolve));
  await waitFor("the cut", () => {
    audit.add(record("long", { message: "x".repeat(100_000) }));
    return warnings.some((message) => message.includes("reader of the audit was cut off"));
  });
  slow.resume();
  await closed;
  expect(other.ended).toBe(false);
  other.stop();
});

test("a reader that leaves while the file is read leaves nothing behind", async () => {
  let open = (): void => {};
  audit.gate = new Promise((resolve) => {
    open = resolve;
  });
  const reader = new Reader("?follow=true");
  await waitFor("the listening", () => audit.listeners.size === 1);
  reader.stop();
  open();
  await waitFor("the end of the listening", () => audit.listeners.size === 0);
});

test("closing the audit ends the streams", async () => {
  const reader = new Reader("?follow=true");
  await waitFor("the stream", () => reader.text !== "");
  for (const { onClose } of audit.listeners) onClose();
  await waitFor("the end", () => reader.ended);
});
