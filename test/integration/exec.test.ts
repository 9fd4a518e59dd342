import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import path from "node:path";
import { expect } from "@jest/globals";
import type { ExecAnswer } from "../../agent/api.ts";
import { TestAgent } from "../support/agent.ts";
import type { TestContainer } from "../support/containers.ts";
import { isAlive } from "../support/host-process.ts";
import { staticImage } from "../support/images.ts";
import { pidsOf } from "../support/running.ts";
import { testWith } from "../support/test-with.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

const { agent, containers } = useEngine();
const needs = ["docker", "busybox"] as const;

/** An init that reaps, and says something now and then. */
const talking = ["sh", "-c", "while true; do echo own; usleep 100000; wait; done"];

async function start(): Promise<TestContainer> {
  const container = await containers.run({ argv: talking });
  await waitFor(
    "the container",
    async () => (await agent.get(`/api/v1/containers/${container.name}`)).status === 200,
  );
  return container;
}

interface Outcome {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: an answer or a problem document
  readonly json: ExecAnswer & any;
}

function exec(container: string, argv: readonly string[], more: object = {}): Promise<Outcome> {
  return agent.post("/api/v1/exec", { container, argv, ...more });
}

/** Runs the command line with input, and keeps both outputs as bytes. */
async function cli(args: readonly string[], input?: Buffer) {
  const child = spawn(process.execPath, [path.join(__dirname, "../../dist/main.js"), ...args], {
    env: { ...process.env, PIDWARD_HOST: `unix://${agent.socket}` },
  });
  const outputs: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (chunk: Buffer) => outputs[0].push(chunk));
  child.stderr.on("data", (chunk: Buffer) => outputs[1].push(chunk));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const [code] = await once(child, "close");
  return { code, stdout: Buffer.concat(outputs[0]), stderr: Buffer.concat(outputs[1]) };
}

const gone = (command: string) => waitFor(`the end of ${command}`, () => pidsOf(command).length === 0);
const there = (command: string) => waitFor(command, () => pidsOf(command)[0]);

testWith(needs, "outputs are apart, and the exit code is the command's own", async () => {
  const web = await start();
  const { json } = await exec(web.name, ["sh", "-c", "echo out; echo err >&2; exit 42"]);
  expect(json).toEqual({
    exitCode: 42,
    stdout: "out\n",
    stderr: "err\n",
    encoding: "utf8",
    truncated: false,
    timedOut: false,
  });
  const run = await cli(["exec", web.name, "--", "sh", "-c", "echo out; echo err >&2; exit 42"]);
  expect({ ...run, stdout: run.stdout.toString(), stderr: run.stderr.toString() }).toEqual({
    code: 42,
    stdout: "out\n",
    stderr: "err\n",
  });
});

testWith(
  needs,
  "binary input and 300 KB on both outputs are byte-exact, through the command line too",
  async () => {
    const web = await start();
    const bytes = randomBytes(300_000);
    const { json } = await exec(web.name, ["tee", "/dev/stderr"], {
      stdin: bytes.toString("base64"),
      stdinEncoding: "base64",
    });
    expect(json).toMatchObject({ exitCode: 0, encoding: "base64", truncated: false });
    expect(Buffer.from(json.stdout, "base64").equals(bytes)).toBe(true);
    expect(Buffer.from(json.stderr, "base64").equals(bytes)).toBe(true);
    const run = await cli(["exec", "-i", web.name, "--", "tee", "/dev/stderr"], bytes);
    expect(run.code).toBe(0);
    expect(run.stdout.equals(bytes)).toBe(true);
    expect(run.stderr.equals(bytes)).toBe(true);
  },
);

testWith(needs, "input that is not wanted does not cost output; without input there is none", async () => {
  const web = await start();
  const stdin = "0".repeat(3_000_000);
  for (let round = 0; round < 5; round++) {
    const { json } = await exec(web.name, ["head", "-c", "200000"], { stdin });
    expect([json.exitCode, json.stdout.length]).toEqual([0, 200_000]);
  }
  expect((await exec(web.name, ["wc", "-c"])).json).toMatchObject({ exitCode: 0, stdout: "0\n" });
  expect((await exec(web.name, ["cat"], { stdin: "žluťoučký\n" })).json.stdout).toBe("žluťoučký\n");
});

testWith(needs, "user, working directory and environment are as asked for", async () => {
  const web = await start();
  const script = 'echo "$GREETING"; id -u; id -G; pwd';
  const { json } = await exec(web.name, ["sh", "-c", script], {
    user: "app",
    workdir: "/srv",
    env: { GREETING: "a=b c" },
  });
  expect(json.stdout).toBe("a=b c\n1000\n1000 2000\n/srv\n");
  const flags = ["--user", "1000:2000", "--workdir=/tmp", "--env", "GREETING=x", "-e", "OTHER=y"];
  const run = await cli(["exec", ...flags, web.name, "--", "sh", "-c", `${script}; echo $OTHER`]);
  expect(run.stdout.toString()).toBe("x\n1000\n2000\n/tmp\ny\n");
});

testWith(needs, "what cannot be started is 126 or 127 with the engine's words on stderr", async () => {
  const web = await start();
  for (const [argv, words] of [
    [["nosuch"], "nosuch"],
    [["/etc/passwd"], "permission denied"],
  ] as const) {
    const { status, json } = await exec(web.name, argv);
    expect({ status, stdout: json.stdout }).toEqual({ status: 200, stdout: "" });
    expect([126, 127]).toContain(json.exitCode);
    expect(json.stderr).toContain(words);
  }
  const shell = await exec(web.name, ["sh", "-c", "echo said; nosuch"]);
  expect(shell.json).toMatchObject({ exitCode: 127, stdout: "said\n" });
  expect((await cli(["exec", web.name, "--", "nosuch"])).stderr.toString()).toContain(
    "executable file not found",
  );
});

testWith(
  needs,
  "what runs over its time is ended with all that came from it, and what it wrote is kept",
  async () => {
    const web = await start();
    const running = exec(web.name, ["sh", "-c", "echo before; sleep 70001 & sleep 70002"], {
      timeoutSeconds: 10,
    });
    const pid = await there("sleep 70002");
    expect((await running).json).toMatchObject({ timedOut: true, truncated: false, stdout: "before\n" });
    expect(isAlive(pid)).toBe(false);
    expect([pidsOf("sleep 70001"), pidsOf("sleep 70002")]).toEqual([[], []]);
    const run = await cli(["exec", "--timeout", "500ms", web.name, "--", "sleep", "70003"]);
    expect([run.code, run.stderr.toString()]).toEqual([124, expect.stringContaining("time limit")]);
  },
  120_000,
);

testWith(needs, "a command that ignores TERM is killed, and one whose parent has ended too", async () => {
  const web = await start();
  const script = "(sleep 70011 &); trap '' TERM; while true; do usleep 50000; done";
  // The time begins before the engine has started it; a shell that has not come to its trap yet ends of TERM.
  const { json } = await exec(web.name, ["sh", "-c", script], { timeoutSeconds: 5 });
  expect(json).toMatchObject({ timedOut: true, exitCode: 137 });
  expect(pidsOf("sleep 70011")).toEqual([]);
});

testWith(needs, "what writes over the limit is ended, and the beginning is kept", async () => {
  const web = await start();
  const { json } = await exec(web.name, ["yes", "0123456"]);
  expect(json).toMatchObject({ truncated: true, timedOut: false, encoding: "utf8", stderr: "" });
  expect(json.stdout).toBe("0123456\n".repeat(131_072));
  expect(pidsOf("yes 0123456")).toEqual([]);
  const own = await exec(web.name, ["yes"], { maxOutputBytes: 10 });
  expect(own.json).toMatchObject({ truncated: true, stdout: "y\ny\ny\ny\ny\n" });
});

testWith(needs, "a command that leaves a process behind is answered, and that one lives", async () => {
  const web = await start();
  const { json } = await exec(web.name, ["sh", "-c", "sleep 70021 & echo started"]);
  expect(json).toMatchObject({ exitCode: 0, stdout: "started\n" });
  expect(pidsOf("sleep 70021")).toHaveLength(1);
});

testWith(needs, "a client that goes away does not leave its command behind", async () => {
  const web = await start();
  const body = JSON.stringify({ container: web.name, argv: ["sleep", "70031"] });
  const headers = { "content-type": "application/json" };
  const request = http.request({ socketPath: agent.socket, path: "/api/v1/exec", method: "POST", headers });
  request.on("error", () => {});
  request.end(body);
  await there("sleep 70031");
  request.destroy();
  await gone("sleep 70031");
  await waitFor("the record", () => agent.audit().at(-1)?.outcome === "failed");
});

testWith(needs, "stopped, paused, protected and unknown containers are told apart", async () => {
  const web = await start();
  await containers.get(web.id).pause();
  expect((await exec(web.name, ["true"])).json).toMatchObject({ status: 409, code: "not_running" });
  expect((await cli(["exec", web.name, "--", "true"])).code).toBe(5);
  await containers.get(web.id).unpause();
  await containers.get(web.id).kill();
  const stopped = await waitFor("the end", async () => {
    const { json } = await exec(web.name, ["true"]);
    return json.code === "not_running" && json;
  });
  expect(stopped.detail).toContain("exited");
  expect((await exec("nosuch", ["true"])).json).toMatchObject({ status: 404, code: "not_found" });
  const kept = await containers.run({ argv: talking, labels: { "pidward.protect": "true" } });
  const refused = await waitFor("the container", async () => {
    const { json } = await exec(kept.name, ["true"]);
    return json.code === "not_found" ? undefined : json;
  });
  expect(refused).toMatchObject({
    status: 403,
    code: "refused",
    detail: expect.stringContaining("pidward.protect"),
  });
});

testWith(needs, "TCP and a read-only agent run nothing", async () => {
  const web = await start();
  const body = { container: web.name, argv: ["true"] };
  expect(await agent.post("/api/v1/exec", body, "tcp")).toMatchObject({
    status: 403,
    json: { code: "no_rights" },
  });
  const upgrade = await agent.get(`/api/v1/attach?container=${web.name}&argv=sh`, {
    connection: "upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  });
  expect(upgrade).toMatchObject({ status: 403, json: { code: "no_rights" } });
  const careful = new TestAgent();
  try {
    await careful.start({ engine: process.env.PIDWARD_TEST_ENGINE ?? "", args: ["--control.read-only"] });
    expect(await careful.post("/api/v1/exec", body)).toMatchObject({
      status: 403,
      json: { code: "refused" },
    });
    expect(careful.audit()).toEqual([]);
  } finally {
    await careful.remove();
  }
});

testWith(
  needs,
  "the audit has the argument vector before and the exit code after, without secrets",
  async () => {
    const web = await start();
    await exec(web.name, ["sh", "-c", "exit 3", "--password=hidden"], { user: "app" });
    const [intent, outcome] = agent.audit().slice(-2);
    expect(intent).toMatchObject({
      phase: "intent",
      action: "exec",
      container: web.id,
      how: "as app",
      argv: ["sh", "-c", "exit 3", "--password=***"],
      actor: { uid: 0 },
    });
    expect(outcome).toMatchObject({
      id: intent?.id,
      phase: "outcome",
      outcome: "done",
      exitCode: 3,
      message: null,
    });
    const shown = await agent.cli("audit", "--container", web.name, "--limit", "1");
    expect(shown.stdout).toMatch(/ exec .* done +3 +sh -c exit 3/);
  },
);

testWith(needs, 'a complaint that does not hold: "it needs a shell inside"', async () => {
  const bare = await containers.run({ argv: ["/sleep", "100001"], image: staticImage });
  const answer = await waitFor("the container", async () => {
    const one = await exec(bare.name, ["/sleep", "1"]);
    return one.status === 404 ? undefined : one;
  });
  expect(answer.json).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
});

testWith(
  needs,
  'a complaint that does not hold: "results mix with the container\'s own output and logs"',
  async () => {
    const web = await start();
    const { json } = await exec(web.name, [
      "sh",
      "-c",
      "for i in 1 2 3 4; do echo result; usleep 100000; done",
    ]);
    expect(json.stdout).toBe("result\n".repeat(4));
    const logs = await containers.get(web.id).logs({ stdout: true, stderr: true });
    expect(logs.toString("latin1")).toContain("own");
    expect(logs.toString("latin1")).not.toContain("result");
  },
);

testWith(needs, 'a complaint that does not hold: "a prompt comes along"', async () => {
  const web = await start();
  const { json } = await exec(web.name, ["sh"], { stdin: "echo result\n" });
  expect(json).toMatchObject({ stdout: "result\n", stderr: "", exitCode: 0 });
});
