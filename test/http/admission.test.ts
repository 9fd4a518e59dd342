import { EventEmitter } from "node:events";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import express, { type Request, type Response } from "express";
import type { AgentError } from "../../agent/errors.ts";
import { createAdmission } from "../../agent/http/admission.ts";
import { waitFor } from "../support/wait-for.ts";

class FakeResponse extends EventEmitter {
  destroyed = false;
  writableLength = 0;
  isWatched = false;
  setTimeout(): this {
    this.isWatched = true;
    return this;
  }
}

/** Asks for admission, and tells how that ended so far. */
function ask(admit: ReturnType<typeof createAdmission>) {
  const response = new FakeResponse();
  const asked = { response, state: "waits", error: undefined as AgentError | undefined };
  const result: unknown = admit({} as Request, response as unknown as Response, () => {
    asked.state = "in";
  });
  (result as Promise<void>).catch((error) => {
    asked.state = "refused";
    asked.error = error;
  });
  return asked;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const limits = { mostReads: 3, mostWaitingBytes: 100, stalledMs: 1000 };

test("reads come in one in each turn of the event loop", async () => {
  const admit = createAdmission(limits, () => {});
  const all = [ask(admit), ask(admit), ask(admit)];
  const inside = (): number => all.filter(({ state }) => state === "in").length;
  expect(inside()).toBe(0);
  for (const count of [1, 2, 3]) {
    await turn();
    expect(inside()).toBe(count);
  }
});

test("more reads than there may be are refused until one has ended, and counted", async () => {
  let refused = 0;
  const admit = createAdmission(limits, () => refused++);
  const all = [ask(admit), ask(admit), ask(admit), ask(admit)];
  for (let count = 0; count < 4; count++) await turn();
  expect(all.map(({ state }) => state)).toEqual(["in", "in", "in", "refused"]);
  expect(all[3]?.error).toMatchObject({
    code: "unavailable",
    message: "the agent is busy: 3 reads are under way; try again in 1 s",
    details: { retryAfterSeconds: 1 },
  });
  expect(refused).toBe(1);
  all[0]?.response.emit("close");
  const next = ask(admit);
  await turn();
  expect(next.state).toBe("in");
});

test("reads are refused while too many bytes wait for slow readers, those too that waited for their turn", async () => {
  const admit = createAdmission(limits, () => {});
  const slow = ask(admit);
  await turn();
  const waits = ask(admit);
  slow.response.writableLength = 101;
  await turn();
  await turn();
  expect(waits.error?.message).toBe("the agent is busy: 101 bytes wait for slow readers; try again in 1 s");
  slow.response.writableLength = 100;
  waits.response.emit("close");
  const next = ask(admit);
  await turn();
  expect(next.state).toBe("in");
});

test("one that waits for its turn is not taken for a reader that takes nothing", async () => {
  const admit = createAdmission(limits, () => {});
  const [first, second] = [ask(admit), ask(admit)];
  await turn();
  expect([first.response.isWatched, second.response.isWatched]).toEqual([true, false]);
  await turn();
  expect(second.response.isWatched).toBe(true);
});

test("who has left while waiting is not answered", async () => {
  const admit = createAdmission(limits, () => {});
  const gone = ask(admit);
  gone.response.destroyed = true;
  await turn();
  await turn();
  expect(gone.state).toBe("waits");
});

const answerBytes = 32 << 20;
const app = express();
const stalled = { mostReads: 10, mostWaitingBytes: 1 << 30, stalledMs: 3_000 };
let closed = 0;
app.get(
  "/",
  createAdmission(stalled, () => {}),
  (_request, response) => {
    response.once("close", () => closed++);
    response.send(Buffer.alloc(answerBytes));
  },
);
const server = http.createServer(app);
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => new Promise((resolve) => server.close(resolve)));

test("a reader that takes nothing is cut off, one that is slow is not", async () => {
  const { port } = server.address() as AddressInfo;
  const open = (): net.Socket => {
    const socket = net.connect({ host: "127.0.0.1", port });
    socket.on("error", () => {});
    socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return socket;
  };
  const deaf = open();
  deaf.pause();
  const slow = open();
  let read = 0;
  slow.on("data", (bytes: Buffer) => {
    read += bytes.length;
    slow.pause();
    setTimeout(() => slow.resume(), 5);
  });
  await new Promise((resolve) => slow.once("close", resolve));
  expect(read).toBeGreaterThan(answerBytes);
  await waitFor("the deaf one to be cut off", () => closed === 2);
  let rest = 0;
  deaf.on("data", (bytes: Buffer) => (rest += bytes.length));
  deaf.resume();
  await new Promise((resolve) => deaf.once("close", resolve));
  expect(rest).toBeLessThan(answerBytes);
});
