import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import express from "express";
import type { EventRecord } from "../../agent/api.ts";
import { createErrorHandler } from "../../agent/http/error-handler.ts";
import type { AppParts } from "../../agent/http/parts.ts";
import { eventRoutes } from "../../agent/http/routes/events.ts";
import { type Listener, listenUnix } from "../../agent/http/servers.ts";
import { validate } from "../../agent/http/validate.ts";
import { createEventJournal, type NewEvent } from "../../agent/inventory/event-journal.ts";
import { silentLogger } from "../../agent/log.ts";
import { waitFor } from "../support/wait-for.ts";
import { nobody } from "./nobody.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-events-"));
const socketPath = path.join(folder, "events.sock");
const journal = createEventJournal("run", 5, {
  bootSeconds: 1_700_000_000,
  ticksPerSecond: 100,
  pageBytes: 4096,
});
const warnings: string[] = [];
let listener: Listener;

beforeAll(async () => {
  const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
  const [one] = eventRoutes({ events: journal, log } as unknown as AppParts);
  if (one?.query === undefined) throw new Error("no route");
  const { query: schema, handle, path: where } = one;
  const app = express();
  app.get(where, (request, response) => {
    const query = validate(schema, request.query, "query");
    return handle({ params: {}, query, body: undefined, request, response, caller: nobody });
  });
  app.use(createErrorHandler(log));
  listener = await listenUnix(app, socketPath);
});
afterAll(async () => {
  journal.close();
  await listener.close(100);
  rmSync(folder, { recursive: true });
});

const container = { id: "c0ffee".padEnd(64, "0"), name: "web", image: null, runtime: "docker" };

function restarted(facts: Partial<Extract<NewEvent, { type: "restarted" }>> = {}): NewEvent {
  return {
    type: "restarted",
    time: "2026-01-01T00:00:00.000Z",
    container,
    program: "nginx",
    driver: "respawn",
    old: ["1@1"],
    new: ["2@2"],
    seconds: 2,
    ...facts,
  };
}

/** A reader of the stream. */
class Reader {
  text = "";
  ended = false;
  readonly answered: Promise<number>;
  private readonly request: http.ClientRequest;

  constructor(query: string, headers: http.OutgoingHttpHeaders = {}) {
    this.request = http.get({ socketPath, path: `/api/v1/events${query}`, headers, agent: false });
    this.answered = new Promise((resolve, reject) => {
      this.request.once("error", reject);
      this.request.once("response", (response) => {
        response.on("data", (chunk) => {
          this.text += chunk;
        });
        response.once("close", () => {
          this.ended = true;
        });
        resolve(response.statusCode ?? 0);
      });
    });
  }

  get events(): readonly EventRecord[] {
    return [...this.text.matchAll(/^id: \S+\nevent: \w+\ndata: (.*)\n\n/gm)].map(([, data]) =>
      JSON.parse(data ?? ""),
    );
  }

  stop(): void {
    this.request.destroy();
  }
}

test("events are told as they happen, to those whom they fit", async () => {
  const all = new Reader("");
  const web = new Reader("?container=c0ffee&program=nginx&type=restarted");
  const other = new Reader("?container=other");
  await Promise.all([all.answered, web.answered, other.answered]);
  await waitFor("the streams to begin", () => all.text !== "" && web.text !== "" && other.text !== "");
  journal.add(restarted());
  journal.add(restarted({ program: "cron" }));
  journal.add(restarted({ container: null }));
  await waitFor("three events", () => all.events.length === 3);
  expect(all.events.map((event) => event.id)).toEqual(["run-1", "run-2", "run-3"]);
  await waitFor("its event", () => web.events.length > 0);
  expect(web.events).toHaveLength(1);
  expect(other.events).toHaveLength(0);
  for (const reader of [all, web, other]) reader.stop();
});

test("the last ones are told without waiting when asked so", async () => {
  const reader = new Reader("?last=2&follow=false");
  expect(await reader.answered).toBe(200);
  await waitFor("the end", () => reader.ended);
  expect(reader.events.map((event) => event.id)).toEqual(["run-2", "run-3"]);
});

test("a reader that comes back goes on after its last event, and is told what it has missed", async () => {
  for (let count = 0; count < 5; count++) journal.add(restarted());
  const resume = async (id: string): Promise<Reader> => {
    const reader = new Reader("?follow=false", { "last-event-id": id });
    await reader.answered;
    await waitFor("the end", () => reader.ended);
    return reader;
  };
  const near = await resume("run-6");
  expect(near.events.map((event) => event.id)).toEqual(["run-7", "run-8"]);
  expect(near.text).not.toContain("event: missed");
  const far = await resume("run-1");
  expect(far.events.map((event) => event.id)).toEqual(["run-4", "run-5", "run-6", "run-7", "run-8"]);
  expect(far.text).toContain('event: missed\ndata: {"missed":2}');
  expect((await resume("otherrun-3")).text).toContain('{"missed":null}');
  const wrong = new Reader("", { "last-event-id": "no id" });
  expect(await wrong.answered).toBe(400);
});

test.each(["?last=-1", "?last=many", "?type=nothing", "?follow=perhaps", "?contaner=web"])(
  "%s is a bad request that names the field",
  async (query) => {
    const reader = new Reader(query);
    expect(await reader.answered).toBe(400);
    await waitFor("the answer", () => reader.ended);
    expect(reader.text).toContain(/\?(\w+)=/.exec(query)?.[1]);
  },
);

test("a reader that does not keep up is cut off, never waited for", async () => {
  const slow = net.connect(socketPath);
  slow.pause();
  slow.write("GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n");
  const listening = new Reader("");
  await listening.answered;
  await waitFor("the stream", () => listening.text !== "");
  const closed = new Promise((resolve) => slow.once("close", resolve));
  const long = restarted({ program: "x".repeat(100_000) });
  await waitFor("the cut", () => {
    journal.add(long);
    return warnings.some((message) => message.includes("cut off"));
  });
  slow.resume();
  await closed;
  expect(listening.ended).toBe(false);
  listening.stop();
});

test("closing the journal ends the streams", async () => {
  const reader = new Reader("");
  await reader.answered;
  await waitFor("the stream", () => reader.text !== "");
  journal.close();
  await waitFor("the end", () => reader.ended);
});
