import { expect, test } from "@jest/globals";
import type { Actor } from "../../agent/api.ts";
import { openTerminal } from "../../agent/control/attach.ts";
import type { AuditEnd } from "../../agent/control/audit.ts";
import { createExecControl, type ExecControlParts } from "../../agent/control/exec-control.ts";
import { AgentError } from "../../agent/errors.ts";
import { silentLogger } from "../../agent/log.ts";
import type { Container } from "../../agent/model.ts";
import { makeSnapshot } from "../inventory/table.ts";
import { failure } from "../support/failure.ts";
import { waitFor } from "../support/wait-for.ts";
import { FakeExec, fakeWorld, makeTarget, web } from "./fake-exec.ts";

const actor: Actor = { uid: 0, gid: 0, pid: 1, user: "root", from: "unix:///x" };

/** The path of all that acts, with what it did in the order in which it did it. */
function setUp(facts: Partial<ExecControlParts> = {}) {
  const exec = new FakeExec();
  const steps: string[] = [];
  const world = fakeWorld([makeTarget(50)], steps, {}, () => exec.end(129));
  const parts: ExecControlParts = {
    ...world,
    audit: {
      intend: async (intent: { argv?: readonly string[] }) => {
        steps.push(`intent ${intent.argv?.join(" ")}`);
        return "id";
      },
      conclude: async (_: string, __: unknown, { outcome, exitCode, message }: AuditEnd) => {
        steps.push(`${outcome} ${exitCode}: ${message}`);
      },
    } as unknown as ExecControlParts["audit"],
    onAct: (action, driver, outcome) => steps.push(`count ${action} ${driver} ${outcome}`),
    log: silentLogger,
    freshSnapshot: async () => makeSnapshot([]),
    findContainer: () => web,
    inspect: async () => web,
    refuseContainer: () => undefined,
    execsOf: () => {
      steps.push("start");
      return exec;
    },
    showCommand: (argv) => argv.map((one) => (one === "secret" ? "***" : one)),
    most: 1,
    idleMs: 60_000,
    longestMs: 60_000,
    ...facts,
  };
  return { exec, steps, parts, control: createExecControl(parts) };
}

const never = new AbortController().signal;
const request = { container: "web", argv: ["echo", "secret"] };

test("the intent is written before the command starts, the outcome with its exit code after; secrets are masked", async () => {
  const { control, exec, steps } = setUp();
  const running = control.exec(request, actor, never);
  await waitFor("the start", () => exec.requests.length > 0);
  exec.write("stdout", "ž");
  exec.end(3);
  expect(await running).toEqual({
    exitCode: 3,
    stdout: "ž",
    stderr: "",
    encoding: "utf8",
    truncated: false,
    timedOut: false,
  });
  expect(steps).toEqual(["intent echo ***", "start", "count exec none done", "done 3: null"]);
});

test("without an intent on the disk nothing starts", async () => {
  const audit = {
    intend: async () => {
      throw new AgentError("unavailable", "disk full");
    },
  } as unknown as ExecControlParts["audit"];
  const { control, steps } = setUp({ audit });
  expect((await failure(control.exec(request, actor, never))).message).toBe("disk full");
  expect((await failure(control.attach(request, actor))).message).toBe("disk full");
  expect(steps).toEqual([]);
});

test.each<[string, Partial<ExecControlParts>, string]>([
  ["the guard refuses", { refuseContainer: () => "it is protected" }, "refused"],
  ["the runtime does not know it", { inspect: async () => undefined }, "not_found"],
  ["it is paused", { inspect: async (): Promise<Container> => ({ ...web, state: "paused" }) }, "not_running"],
  ["it has ended", { inspect: async (): Promise<Container> => ({ ...web, state: "exited" }) }, "not_running"],
])("a container is left alone when %s", async (_, facts, code) => {
  const { control, steps } = setUp(facts);
  expect((await failure(control.exec(request, actor, never))).code).toBe(code);
  expect((await failure(control.attach(request, actor))).code).toBe(code);
  expect(steps).toEqual([]);
});

test("output that is not UTF-8 comes in base64, and input and environment go as they are meant", async () => {
  const { control, exec } = setUp();
  const more = { stdin: "/wA=", stdinEncoding: "base64", env: { A: "1=2" } } as const;
  const running = control.exec({ ...request, ...more }, actor, never);
  await waitFor("the start", () => exec.requests.length > 0);
  exec.output.push({ from: "stderr", bytes: Buffer.from([0xff, 0]) });
  exec.write("stdout", "text");
  exec.end(0);
  expect(await running).toMatchObject({ encoding: "base64", stdout: "dGV4dA==", stderr: "/wA=" });
  expect(exec.requests[0]?.env).toEqual(["A=1=2"]);
  expect([...exec.input.read()]).toEqual([0xff, 0]);
});

test("no more sessions than the limit; one that ends gives its place back, and so does one that fails", async () => {
  const { control, exec, steps, parts } = setUp();
  const terminal = await control.attach(request, actor);
  const second = await failure(control.attach(request, actor));
  expect([second.code, second.message]).toEqual(["unavailable", expect.stringContaining("1 sessions")]);
  exec.write("stdout", "x");
  exec.end(7);
  for await (const bytes of terminal.output) expect(bytes.toString()).toBe("x");
  expect(await terminal.exit).toBe(7);
  await waitFor("the outcome", () => steps.at(-1) === "done 7: null");
  const failing = createExecControl({
    ...parts,
    execsOf: () => undefined,
  });
  for (let round = 0; round < 3; round++)
    expect((await failure(failing.attach(request, actor))).message).toContain("no runtime");
});

test("closing hangs up; the audit has the reason and the exit code", async () => {
  const { control, exec, steps } = setUp();
  const terminal = await control.attach({ ...request, cols: 100 }, actor);
  expect(exec.requests[0]).toMatchObject({
    stdin: true,
    terminal: { columns: 100, rows: 24 },
    env: ["TERM=xterm"],
  });
  await waitFor("the size", () => exec.sizes.length > 0);
  exec.output.resume();
  await terminal.close();
  expect(steps).toContain("1 50");
  await waitFor("the outcome", () => steps.at(-1) === "done 129: the client went away");
  expect(exec.closed).toBe(true);
  let taken = false;
  terminal.write(Buffer.from("late"), () => {
    taken = true;
  });
  await waitFor("the bytes to be dropped", () => taken);
});

test("an engine that notes the end late does not cost the audit the exit code", async () => {
  const { control, exec, steps } = setUp();
  const terminal = await control.attach(request, actor);
  await waitFor("the size", () => exec.sizes.length > 0);
  exec.output.resume();
  // The output ends before the engine says so of the command.
  exec.end = (exitCode) => {
    exec.output.push(null);
    setTimeout(() => {
      exec.now = { running: false, pid: 50, exitCode };
    }, 1_500);
  };
  await terminal.close();
  await waitFor("the outcome", () => steps.at(-1) === "done 129: the client went away");
});

test("an idle session is cut with its setting's name; bytes in either direction keep it", async () => {
  const { parts, exec } = setUp({ idleMs: 200 });
  const terminal = await openTerminal(
    web,
    { argv: ["sh"], env: [], user: undefined, workdir: undefined, size: { columns: 80, rows: 24 } },
    parts,
  );
  const output = terminal.output[Symbol.asyncIterator]();
  const began = performance.now();
  for (let round = 0; round < 6; round++) {
    if (round % 2 === 0) exec.write("stdout", "x");
    else terminal.write(Buffer.from("y"), () => {});
    if (round % 2 === 0) await output.next();
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  const error = await terminal.cut;
  expect(performance.now() - began).toBeGreaterThan(400);
  expect(error.message).toContain("--attach.idle-timeout");
  while ((await output.next()).done !== true);
  expect(await terminal.over).toEqual({ exitCode: 129, why: error.message });
});
