import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createDockerRuntime, type DockerRuntime } from "../../agent/containers/docker.ts";
import { waitFor } from "../support/wait-for.ts";
import { FakeEngine } from "./fake-engine.ts";

const web = "a".repeat(64);
const db = "b".repeat(64);
const log = { info: () => {}, warn: () => {} };
let engine: FakeEngine;
let runtime: DockerRuntime;

beforeEach(() => {
  engine = new FakeEngine();
  engine.add(web, "web");
  runtime = createDockerRuntime({
    endpoint: `unix://${engine.socket}`,
    log,
    limitMs: 300,
    resyncMs: 60_000,
    retryMs: 20,
  });
});

afterEach(async () => {
  runtime.close();
  await engine.stop();
  engine.remove();
});

const names = (): readonly (string | null)[] => runtime.list().map((container) => container.name);

test("containers are listed with what the engine says of them", async () => {
  await engine.start();
  await runtime.start();
  expect(runtime.status()).toMatchObject({ available: true, version: "20.10.24", reason: null });
  expect(runtime.list()).toEqual([
    {
      id: web,
      runtime: "docker",
      name: "web",
      image: "shop/web:3",
      labels: {},
      state: "running",
      initPid: 4242,
      createdAt: Date.parse("2026-01-01T00:00:00.25Z"),
      startedAt: Date.parse("2026-01-01T00:00:00.5Z"),
      health: null,
      restartCount: 2,
      exitCode: null,
      oomKilled: false,
      restartPolicy: "always",
      known: true,
    },
  ]);
});

test("events bring new, renamed, stopped and removed containers", async () => {
  await engine.start();
  await runtime.start();
  engine.add(db, "db");
  engine.send("start", db);
  await waitFor("db", () => names().includes("db"));
  const container = engine.containers.get(db);
  if (container !== undefined) Object.assign(container, { name: "store", status: "exited", pid: 0 });
  engine.send("rename", db);
  const stopped = await waitFor("store", () => runtime.list().find((one) => one.name === "store"));
  expect(stopped).toMatchObject({ state: "exited", initPid: null, exitCode: 0 });
  engine.containers.delete(db);
  engine.send("destroy", db);
  await waitFor("its end", () => !names().includes("store"));
});

test("a health check's verdict comes with its event", async () => {
  await engine.start();
  await runtime.start();
  const container = engine.containers.get(web);
  if (container !== undefined) container.health = "unhealthy";
  engine.send("health_status: unhealthy", web);
  await waitFor("the verdict", () => runtime.list()[0]?.health === "unhealthy");
});

test("a container's layer is measured when it is asked for", async () => {
  await engine.start();
  await runtime.start();
  expect(await runtime.measureLayer(web)).toEqual({ bytes: 4096, folder: "/var/lib/docker/overlay2/x/diff" });
  expect(await runtime.measureLayer(db)).toBeUndefined();
});

test("the list stays the same object while nothing happens, and the engine is left alone", async () => {
  await engine.start();
  await runtime.start();
  const before = runtime.list();
  const calls = engine.calls.length;
  engine.send("exec_create: sh", web);
  engine.add(db, "db");
  engine.send("start", db);
  await waitFor("db", () => names().includes("db"));
  expect(engine.calls.slice(calls)).toEqual([`GET /containers/${db}/json`]);
  expect(runtime.list()).not.toBe(before);
  expect(runtime.list()).toBe(runtime.list());
});

test("an engine that dies keeps its names, and is found again when it comes back", async () => {
  await engine.start();
  await runtime.start();
  await engine.stop();
  await waitFor("the loss", () => !runtime.status().available);
  expect(runtime.status().reason).not.toBeNull();
  expect(names()).toEqual(["web"]);
  engine.containers.clear();
  engine.add(db, "db");
  await engine.start();
  await waitFor("the return", () => runtime.status().available);
  expect(names()).toEqual(["db"]);
});

test("a container that is stopped already is as well stopped", async () => {
  await engine.start();
  await runtime.start();
  for (const status of [204, 304]) {
    engine.stopStatus = status;
    await runtime.stopContainer(web, 1);
  }
  expect(engine.calls.filter((call) => call === `POST /containers/${web}/stop`)).toHaveLength(2);
  engine.stopStatus = 500;
  await expect(runtime.stopContainer(web, 1)).rejects.toMatchObject({ code: "failed" });
});

test("an engine that appears later is found", async () => {
  await runtime.start();
  expect(runtime.status()).toMatchObject({ available: false, reason: expect.stringContaining("ENOENT") });
  await engine.start();
  await waitFor("the engine", () => runtime.status().available);
});

test("a hanging engine is unavailable after the limit, for calls too", async () => {
  engine.mode = "hangs";
  await engine.start();
  await runtime.start();
  expect(runtime.status().reason).toContain("no answer");
  await expect(runtime.inspect(web)).rejects.toMatchObject({ code: "unavailable" });
});

test("an id that is no id never reaches the engine", async () => {
  await engine.start();
  await runtime.start();
  const calls = engine.calls.length;
  expect(await runtime.inspect("../../images/json")).toBeUndefined();
  await expect(runtime.restartContainer("../x", 1)).rejects.toMatchObject({ code: "not_found" });
  expect(engine.calls).toHaveLength(calls);
});

test("a container that the engine does not know is absent", async () => {
  await engine.start();
  expect(await runtime.inspect(db)).toBeUndefined();
});

test("a detached exec gives its id and then its PID", async () => {
  await engine.start();
  const request = { argv: ["httpd"], env: ["A=b"], workdir: "/srv", user: "1000:1000" };
  expect(await runtime.startDetached(web, request)).toBe("e1");
  expect(await runtime.execStatus("e1")).toEqual({ running: true, pid: 77, exitCode: null });
  expect(await runtime.execStatus("e2")).toBeUndefined();
});

test("an exec that cannot start fails with the engine's words", async () => {
  engine.startError = { status: 400, message: "OCI runtime exec failed: httpd: not found" };
  await engine.start();
  const request = { argv: ["httpd"], env: [], workdir: undefined, user: undefined };
  await expect(runtime.startDetached(web, request)).rejects.toMatchObject({
    code: "failed",
    message: expect.stringContaining("httpd: not found"),
  });
});

test("an endpoint in no known form is refused with the setting's name", () => {
  expect(() => createDockerRuntime({ endpoint: "ssh://host", log })).toThrow("--docker.socket");
});
