import { expect, test } from "@jest/globals";
import { endExec, refOfExec } from "../../agent/control/exec-end.ts";
import { type CommandLimits, createExecInContainer } from "../../agent/control/exec-in-container.ts";
import { parseSession } from "../../agent/control/session-id.ts";
import { AgentError } from "../../agent/errors.ts";
import { silentLogger } from "../../agent/log.ts";
import { failure } from "../support/failure.ts";
import { waitFor } from "../support/wait-for.ts";
import { FakeExec, fakeWorld, makeTarget, web } from "./fake-exec.ts";

const command = { argv: ["sh"], env: [], workdir: undefined, user: undefined, stdin: undefined };
const limits: CommandLimits = { timeoutMs: 10_000, outputBytes: 10 };

/** A command that ends, with its output, when it is signalled. */
function setUp(facts: Parameters<typeof fakeWorld>[2] = {}) {
  const exec = new FakeExec();
  const signalled: string[] = [];
  const world = fakeWorld([makeTarget(50)], signalled, facts, () => exec.end(143));
  const run = createExecInContainer({ ...world, execsOf: () => exec, log: silentLogger });
  return { exec, signalled, run };
}

test("a command's outputs are kept apart and its exit code is told; nothing is signalled", async () => {
  const { exec, signalled, run } = setUp();
  const running = run(web, { ...command, stdin: Buffer.from("in") }, limits);
  exec.write("stdout", "o1");
  exec.write("stderr", "e1");
  exec.write("stdout", "o2");
  exec.end(3);
  const result = await running;
  expect(result).toMatchObject({ exitCode: 3, truncated: false, timedOut: false });
  expect([result.stdout.toString(), result.stderr.toString()]).toEqual(["o1o2", "e1"]);
  expect(exec.requests[0]).toMatchObject({ argv: ["sh"], stdin: true, terminal: undefined });
  expect(exec.input.read().toString()).toBe("in");
  expect([exec.closed, signalled]).toEqual([true, []]);
});

test("exactly the limit is no cut; a byte more is, and the command is ended", async () => {
  const whole = setUp();
  const fits = whole.run(web, command, limits);
  whole.exec.write("stdout", "0123456789");
  whole.exec.end(0);
  expect(await fits).toMatchObject({ truncated: false, stdout: Buffer.from("0123456789") });
  const over = setUp();
  const running = over.run(web, command, limits);
  over.exec.write("stdout", "01234");
  over.exec.write("stdout", "567890");
  over.exec.write("stdout", "more");
  expect(await running).toMatchObject({
    truncated: true,
    timedOut: false,
    exitCode: 143,
    stdout: Buffer.from("0123456789"),
  });
  expect(over.signalled).toEqual(["15 50"]);
});

test("what runs over its time is ended, by KILL when it must be, and the answer has what came before", async () => {
  const { exec, signalled, run } = setUp({ stubborn: [50] });
  const running = run(web, command, { ...limits, timeoutMs: 50 });
  exec.write("stdout", "before");
  expect(await running).toMatchObject({ timedOut: true, truncated: false, stdout: Buffer.from("before") });
  expect(signalled).toEqual(["15 50", "9 50"]);
});

test("a caller that leaves takes the command along, also one that has left before it began", async () => {
  for (const early of [true, false]) {
    const { signalled, run } = setUp();
    const gone = new AbortController();
    if (early) gone.abort();
    const running = failure(run(web, command, { ...limits, gone: gone.signal }));
    gone.abort();
    expect((await running).message).toContain("nobody waited");
    expect(signalled).toEqual(["15 50"]);
  }
});

test("what could not be started is told on stderr; a command's own 127 is its own", async () => {
  const missing = setUp();
  const running = missing.run(web, command, { ...limits, outputBytes: 100 });
  missing.exec.write("stdout", "OCI runtime exec failed: no such file\r\n");
  missing.exec.end(126, null);
  expect(await running).toMatchObject({
    exitCode: 126,
    stdout: Buffer.alloc(0),
    stderr: Buffer.from("OCI runtime exec failed: no such file\n"),
  });
  const own = setUp();
  const shell = own.run(web, command, limits);
  own.exec.write("stdout", "said");
  own.exec.end(127);
  expect(await shell).toMatchObject({ exitCode: 127, stdout: Buffer.from("said") });
});

test("an engine that breaks off is an error, and the command is ended all the same", async () => {
  const { exec, signalled, run } = setUp();
  const running = failure(run(web, command, limits));
  await waitFor("the start", () => exec.requests.length > 0);
  // The process is known by now.
  await new Promise((resolve) => setImmediate(resolve));
  exec.output.destroy(new AgentError("unavailable", "the connection broke"));
  expect((await running).code).toBe("unavailable");
  expect(signalled).toEqual(["15 50"]);
});

test("a container that ends meanwhile leaves no exit code", async () => {
  const { exec, run } = setUp();
  const running = run(web, command, limits);
  exec.end(0);
  exec.now = undefined;
  expect(await running).toMatchObject({ exitCode: null });
});

test("descendants and members of the session are ended; the container's others and older ones are not", async () => {
  const signalled: string[] = [];
  const of = (pid: number, parentPid: number, startTicks = 100) =>
    makeTarget(pid, { ref: { pid, startTicks }, parentPid });
  const processes = [
    of(40, 1, 1),
    of(50, 1),
    // PIDs wrap around: a child can stand before its parent.
    of(20, 51),
    of(51, 50),
    of(60, 40),
    of(61, 40),
    of(62, 40, 5),
    of(70, 60),
  ];
  const sessions = { 40: 40, 50: 50, 51: 50, 20: 20, 60: 50, 61: 40, 62: 50 };
  const world = fakeWorld(processes, signalled, { sessions });
  await endExec({ pid: 50, startTicks: 100 }, web, { name: "SIGHUP", number: 1 }, 0.1, world);
  expect([...signalled].sort()).toEqual(["1 20", "1 50", "1 51", "1 60", "1 70"]);
});

test("another life of the PID is not touched, nor is its session", async () => {
  const signalled: string[] = [];
  const processes = [
    makeTarget(50, { ref: { pid: 50, startTicks: 200 } }),
    makeTarget(51, { ref: { pid: 51, startTicks: 201 }, parentPid: 50 }),
  ];
  const world = fakeWorld(processes, signalled, { sessions: { 50: 50, 51: 50 } });
  await endExec({ pid: 50, startTicks: 100 }, web, { name: "SIGTERM", number: 15 }, 0.1, world);
  expect(signalled).toEqual([]);
});

test("a first process that the scan did not place is ended when its cgroup is the container's, else not", async () => {
  for (const inside of [true, false]) {
    const signalled: string[] = [];
    const world = fakeWorld([makeTarget(50)], signalled);
    const unplaced = { ...world, processesOf: async () => [], isInside: () => inside };
    await endExec({ pid: 50, startTicks: 100 }, web, { name: "SIGTERM", number: 15 }, 0.1, unplaced);
    expect(signalled).toEqual(inside ? ["15 50"] : []);
  }
});

test("the ref of an exec is that of a process that still runs after its start time was read", async () => {
  const exec = new FakeExec();
  const world = fakeWorld([makeTarget(50)], []);
  expect(await refOfExec(exec, world)).toEqual({ pid: 50, startTicks: 100 });
  exec.now = { running: true, pid: null, exitCode: null };
  const later = refOfExec(exec, world);
  exec.now = { running: false, pid: 50, exitCode: 0 };
  expect(await later).toBeUndefined();
});

test.each([
  ["4242 (sh) S 4200 4242 4243 34816 4242 4194304 1", 4243],
  ["4242 (a) R 1 2 (b) R 7 8 9 0", 9],
  ["4242 (sh) S 4200", undefined],
  ["", undefined],
])("the session in %j is %s", (text, session) => {
  expect(parseSession(text)).toBe(session);
});
