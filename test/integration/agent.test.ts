import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { TestAgent } from "../support/agent.ts";
import { countDescriptors } from "../support/descriptors.ts";
import { foreignStyle } from "../support/foreign-style.ts";
import { withProcess } from "../support/programs.ts";
import { startPrometheus } from "../support/prometheus.ts";
import { noteStarted } from "../support/started.ts";
import { testWith } from "../support/test-with.ts";
import { waitFor } from "../support/wait-for.ts";

const agent = new TestAgent();
beforeAll(() => agent.start({ args: ["--scan.interval=200ms"] }));
afterAll(() => agent.remove());

/** A PID that no process has: above the highest that the kernel gives. */
const nobody = "999999999";

/** Starts an agent that is expected to end at once. */
async function failing(...args: readonly string[]): Promise<{ code: number; stderr: string }> {
  const { code, stderr } = await agent.cli("agent", `--docker.socket=${agent.folder}/none.sock`, ...args);
  return { code, stderr };
}

test("without an engine the first lines say so, and the host's own processes are reported", async () => {
  expect(agent.stderr).toMatch(/source=(bpf|procfs)/);
  expect(agent.stderr).toContain("no container engine answers");
  const { json } = await agent.get(`/api/v1/processes/${process.pid}`);
  expect(json).toMatchObject({
    pid: process.pid,
    container: null,
    containerPid: null,
    parentPid: process.ppid,
  });
  expect(json.ancestors.length).toBeGreaterThan(0);
  expect(json.limits.map((limit: { name: string }) => limit.name)).toContain("Max open files");
  expect(json.cpuPercentNow).toBeGreaterThanOrEqual(0);
});

test("descriptors and sockets stay the same over 200 scrapes", async () => {
  const open = (): number => countDescriptors(agent.pid);
  const scrape = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index++) await agent.get("/metrics", { "accept-encoding": "gzip" });
  };
  await scrape(10);
  const before = open();
  await scrape(200);
  await waitFor("the last connections to close", () => open() <= before);
}, 60_000);

test("TCP answers reads only, and the socket is for its owner and group", async () => {
  const answer = await agent.post("/api/v1/signal", { selector: String(process.pid), dryRun: true }, "tcp");
  expect(answer).toMatchObject({
    status: 403,
    json: { code: "no_rights", detail: expect.stringContaining(agent.socket) },
  });
  expect(statSync(agent.socket).mode & 0o777).toBe(0o660);
});

test.each([
  ["an unknown selector", { selector: "no such" }, 400, "bad_request", "no selector"],
  ["a container that is not there", { selector: "nobody" }, 404, "not_found", "nobody"],
  ["an unknown signal", { selector: nobody, signal: "SIGFOO" }, 400, "bad_request", "SIGFOO"],
  ["an unknown field", { selector: nobody, sginal: "TERM" }, 400, "bad_request", "did you mean signal"],
  ["bad JSON", "{selector", 400, "bad_request", "no JSON"],
  ["a body over 64 KiB", { selector: "x".repeat(70_000) }, 413, "body_too_large", "64 KiB"],
  [
    "a grace that is no number",
    { selector: nobody, graceSeconds: "soon" },
    400,
    "bad_request",
    "graceSeconds",
  ],
  ["the agent itself", { selector: "AGENT", dryRun: true }, 403, "refused", "pidward itself"],
  [
    "an ancestor of the agent",
    { selector: String(process.pid), dryRun: true },
    403,
    "refused",
    "ancestor of pidward",
  ],
])("%s is a clear error, and the agent lives on", async (_, body, status, code, words) => {
  const sent =
    typeof body !== "string" && body.selector === "AGENT" ? { ...body, selector: String(agent.pid) } : body;
  const answer = await agent.post("/api/v1/signal", sent);
  expect(answer).toMatchObject({ status, json: { code, detail: expect.stringContaining(words) } });
  expect(answer.headers["content-type"]).toContain("application/problem+json");
  expect((await agent.get("/healthz")).status).toBe(200);
});

test.each([
  [["ps", "--srot", "rss"], 2, "did you mean --sort"],
  [["pss"], 2, "did you mean ps"],
  [["status"], 2, "needs SELECTOR"],
  [["status", "nobody"], 3, "nobody"],
  [["status", nobody], 3, nobody],
  [["kill", "AGENT", "--dry-run"], 4, "pidward itself"],
  [["kill", nobody, "--signal", "NOPE"], 2, "NOPE"],
  [["kill", nobody, "--grace", "soon"], 2, "--grace"],
  [["restart", "AGENT", "--dry-run"], 4, "pidward itself"],
  [["ps", "--sort", "size"], 2, "sort"],
  [["ps", "--host", "unix:///nowhere.sock"], 7, "no agent answers"],
  [["ps", "--host", "gopher://x"], 2, "--host"],
])("pidward %j exits with %i", async (args, code, words) => {
  const given = args.map((arg) => (arg === "AGENT" ? String(agent.pid) : arg));
  expect(await agent.cli(...given)).toMatchObject({
    code,
    stderr: expect.stringContaining(words),
    stdout: "",
  });
});

test("a host process is acted upon only where that is allowed", () =>
  withProcess(["sleep", "100000"], async (pid) => {
    const own = new TestAgent();
    const kill = (by: TestAgent) => by.cli("kill", String(pid), "--wait");
    try {
      expect(await kill(agent)).toMatchObject({
        code: 4,
        stderr: expect.stringContaining("--control.allow-host"),
      });
      await own.start({ args: ["--control.allow-host", "--control.read-only"] });
      expect(await kill(own)).toMatchObject({ code: 4, stderr: expect.stringContaining("read-only") });
      await own.stop();
      await own.start({ args: ["--control.allow-host"] });
      expect(await kill(own)).toMatchObject({
        code: 0,
        stdout: expect.stringContaining("exited after SIGTERM"),
      });
    } finally {
      await own.remove();
    }
  }));

test("secrets in a command line are masked unless that is switched off", () =>
  withProcess(
    [process.execPath, "-e", "setInterval(() => {}, 1e6)", "--", "--password=hunter2"],
    async (pid) => {
      // A scan may have met it before execve(2), with the arguments of the tests' own process.
      const shown = (by: TestAgent) =>
        waitFor("the process", async () => {
          const last: string | undefined = (await by.get(`/api/v1/processes/${pid}`)).json.command?.at(-1);
          return last?.startsWith("--password=") && last;
        });
      expect(await shown(agent)).toBe("--password=***");
      const own = new TestAgent();
      try {
        await own.start({ args: ["--redact=false"] });
        expect(await shown(own)).toBe("--password=hunter2");
      } finally {
        await own.remove();
      }
    },
  ));

test("without a place for the audit line nothing is done", () =>
  withProcess(["sleep", "100000"], async (pid) => {
    const own = new TestAgent();
    try {
      writeFileSync(path.join(own.folder, "plain"), "");
      await own.start({ args: ["--control.allow-host", `--audit.file=${own.folder}/plain/audit.jsonl`] });
      const refused = await own.cli("kill", String(pid));
      expect(refused).toMatchObject({ code: 7, stderr: expect.stringContaining("--audit.file") });
      expect(existsSync(`/proc/${pid}`)).toBe(true);
    } finally {
      await own.remove();
    }
  }));

test("a taken port, a taken socket, a folder in the way and an unknown flag are named", async () => {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  const socket = `--control.socket=${agent.folder}/other.sock`;
  const free = "--web.listen-address=127.0.0.1:0";
  expect(await failing(socket, `--web.listen-address=127.0.0.1:${port}`)).toMatchObject({
    code: 7,
    stderr: expect.stringContaining(`127.0.0.1:${port}: another program listens there`),
  });
  expect(existsSync(`${agent.folder}/other.sock`)).toBe(false);
  server.close();
  expect(await failing(free, `--control.socket=${agent.socket}`)).toMatchObject({
    code: 7,
    stderr: expect.stringContaining("another agent answers"),
  });
  writeFileSync(`${agent.folder}/file`, "");
  expect(await failing(free, `--control.socket=${agent.folder}/file/x.sock`)).toMatchObject({
    code: 7,
    stderr: expect.stringContaining("--control.socket"),
  });
  expect(await failing("--scan.intervall=1s")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("did you mean --scan.interval"),
  });
  expect(await failing("--scan.interval=fast")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--scan.interval"),
  });
  expect(await failing("--path.procfs=/nowhere")).toMatchObject({
    code: 7,
    stderr: expect.stringContaining("/nowhere"),
  });
});

test("TERM ends the agent cleanly, and a socket left by a killed one is replaced", async () => {
  const own = new TestAgent();
  try {
    await own.start();
    expect(existsSync(own.socket)).toBe(true);
    expect(await own.stop()).toBe(0);
    expect(existsSync(own.socket)).toBe(false);
    await own.start();
    process.kill(own.pid, "SIGKILL");
    await waitFor("its end", () => !existsSync(`/proc/${own.pid}`));
    expect(existsSync(own.socket)).toBe(true);
    await own.start();
    expect((await own.cli("ps", "--limit", "1")).code).toBe(0);
  } finally {
    await own.remove();
  }
});

const isRoot = process.geteuid?.() === 0;
const asRoot = isRoot ? test : test.skip;
const reason = isRoot ? "" : " [not run: changing the user needs root]";

asRoot(
  `without root the agent serves what it can, from the user's own folders${reason}`,
  async () => {
    const home = mkdtempSync(path.join(os.tmpdir(), "pidward-home-"));
    chmodSync(home, 0o777);
    const program = path.join(__dirname, "../../dist/main.js");
    const child = spawn(
      process.execPath,
      [program, "agent", "--web.listen-address=127.0.0.1:0", "--docker.socket=/nowhere.sock"],
      {
        uid: 65534,
        gid: 65534,
        cwd: "/",
        env: { PATH: process.env.PATH, HOME: home },
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    noteStarted(child.pid ?? -1);
    const ended = once(child, "exit");
    let log = "";
    child.stderr.on("data", (chunk) => {
      log += chunk;
    });
    try {
      await waitFor("the agent to listen", () => log.includes("msg=listening"), 60_000);
      expect(log).toContain("uid 65534");
      const socket = `${home}/.local/state/pidward/pidward.sock`;
      const list = await agent.cli("ps", "--host", `unix://${socket}`, "--limit", "3");
      expect(list.stdout.trim().split("\n")).toHaveLength(4);
    } finally {
      child.kill("SIGTERM");
      await ended;
      rmSync(home, { recursive: true, force: true });
    }
  },
  120_000,
);

asRoot(`a user of whom the system knows nothing, not even a home, can use the command line${reason}`, () => {
  const program = path.join(__dirname, "../../dist/main.js");
  const { status, stderr } = spawnSync(process.execPath, [program, "ps", "--host", "unix:///nowhere.sock"], {
    uid: 54_321,
    gid: 54_321,
    cwd: "/",
    env: { PATH: process.env.PATH },
    encoding: "utf8",
  });
  expect(stderr).toContain("no agent answers at unix:///nowhere.sock");
  expect(status).toBe(7);
});

test("a link to the program is the command", () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-link-"));
  try {
    const link = path.join(folder, "pidward");
    symlinkSync(path.join(__dirname, "../../dist/main.js"), link);
    expect(spawnSync(link, ["--version"], { encoding: "utf8" }).stdout).toMatch(/^pidward \d/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("without koffi the agent says so, and signals by the re-check alone", () =>
  withProcess(["sleep", "100000"], async (pid) => {
    const root = path.join(__dirname, "../..");
    const copy = mkdtempSync(path.join(os.tmpdir(), "pidward-copy-"));
    const own = new TestAgent(path.join(copy, "dist/main.js"));
    try {
      cpSync(path.join(root, "dist"), path.join(copy, "dist"), { recursive: true });
      cpSync(path.join(root, "package.json"), path.join(copy, "package.json"));
      mkdirSync(path.join(copy, "node_modules"));
      for (const name of readdirSync(path.join(root, "node_modules"))) {
        if (name !== "koffi")
          symlinkSync(path.join(root, "node_modules", name), path.join(copy, "node_modules", name));
      }
      await own.start({ args: ["--control.allow-host"] });
      expect(own.stderr).toMatch(/pidfd: koffi cannot be loaded: .*re-check of the start time alone/);
      expect(await own.cli("kill", String(pid), "--wait")).toMatchObject({
        code: 0,
        stdout: expect.stringContaining("exited"),
      });
    } finally {
      await own.remove();
      rmSync(copy, { recursive: true });
    }
  }));

testWith(["promtool"], "promtool finds nothing to say about the live metrics", async () => {
  const { text } = await agent.get("/metrics");
  const check = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
  // promtool's style rules come after its syntax check; names that others have given break some of them.
  const own = `${check.stdout}${check.stderr}`
    .split("\n")
    .filter((line) => line !== "" && !foreignStyle.test(line));
  expect(own).toEqual([]);
});

testWith(["promtool"], "promtool finds nothing to say about the golden expositions", async () => {
  for (const name of ["healthy.prom", "degraded.prom"]) {
    const text = readFileSync(path.join(__dirname, "../golden", name), "utf8");
    const check = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
    expect(`${name}: ${check.stdout}${check.stderr}`).toBe(`${name}: `);
    expect(check.status).toBe(0);
  }
});

testWith(
  ["promtool"],
  "Prometheus scrapes the agent, as OpenMetrics",
  async () => {
    const prometheus = await startPrometheus(agent.address);
    try {
      const processes = await prometheus.query("sum(pidward_program_processes)");
      expect(Number(processes.first)).toBeGreaterThan(5);
      const cpu = await prometheus.query('pidward_program_cpu_seconds_total{mode="user"} > 0');
      expect(cpu.series).toBeGreaterThan(0);
    } finally {
      await prometheus.remove();
    }
  },
  90_000,
);
