import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, expect } from "@jest/globals";
import type Docker from "dockerode";
import type { AuditRecord, ProcessRecord } from "../../agent/api.ts";
import { agentImage, buildAgentImage } from "../support/agent-image.ts";
import { type TestContainer, TestContainers } from "../support/containers.ts";
import { isAlive } from "../support/host-process.ts";
import { makeManagersImage, managersImage, supervisordHead } from "../support/manager-images.ts";
import { outOfMemory } from "../support/out-of-memory.ts";
import { hasParts } from "../support/parts.ts";
import { runIn } from "../support/run-in.ts";
import { testWith } from "../support/test-with.ts";
import { waitFor } from "../support/wait-for.ts";

const needs = ["docker", "busybox", "supervisor", "s6", "runit", "tini"] as const;
const containers = new TestContainers();
const { docker } = containers;
const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-image-"));
const limitMs = 180_000;

/** What is mounted later is seen too, where the machine's root is a shared mount: systemd makes it so. */
const isShared = / \/ \/ \S+ (\S+ )*shared:/.test(readFileSync("/proc/self/mountinfo", "utf8"));
const rootMount = isShared ? "/:/host:ro,rslave" : "/:/host:ro";
const observeAndAct = ["SYS_PTRACE", "DAC_READ_SEARCH", "KILL"];

beforeAll(async () => {
  if (!hasParts(...needs)) return;
  buildAgentImage();
  await makeManagersImage(docker);
  writeFileSync(path.join(scratch, "supervisord.conf"), supervisordConfig);
}, limitMs);
afterEach(() => containers.removeAll(), 60_000);
afterAll(() => rmSync(scratch, { recursive: true }));

const supervisordConfig = `${supervisordHead}[program:web]
command=/bin/sleep 100001
startsecs=1
`;

/** A container with supervisord and one program. */
function runSupervised(): Promise<TestContainer> {
  return containers.run({
    image: managersImage,
    argv: ["/usr/bin/python3", "/usr/bin/supervisord", "-c", "/etc/supervisor/supervisord.conf"],
    env: ["PATH=/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1"],
    host: { Binds: [`${scratch}:/etc/supervisor`] },
  });
}

/** As compose.yaml has it, with other rights. @param state where the audit is kept */
async function runAgent(
  capabilities: readonly string[],
  host: Docker.HostConfig = {},
  state = mkdtempSync(path.join(scratch, "state-")),
): Promise<TestContainer> {
  const agent = await containers.run({
    image: agentImage,
    argv: ["pidward", "agent", "--scan.interval=200ms"],
    env: ["PATH=/usr/bin"],
    host: {
      PidMode: "host",
      CapDrop: ["ALL"],
      CapAdd: [...capabilities],
      ReadonlyRootfs: true,
      Tmpfs: { "/run/pidward": "" },
      SecurityOpt: ["no-new-privileges"],
      Binds: [
        `${process.env.PIDWARD_TEST_ENGINE}:/var/run/docker.sock`,
        `${state}:/var/lib/pidward`,
        rootMount,
      ],
      ...host,
    },
  });
  await isReady(agent.name);
  return agent;
}

const isReady = (name: string): Promise<boolean> =>
  waitFor(
    "the agent in its container",
    async () => (await pidward(name, "health").catch(() => undefined))?.code === 0,
    90_000,
  );

function pidward(agent: string, ...args: readonly string[]) {
  return runIn(docker, agent, ["pidward", ...args]);
}

async function json<T>(agent: string, ...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await pidward(agent, ...args, "--json");
  if (code !== 0) throw new Error(`${args.join(" ")}: ${code} ${stderr}`);
  return JSON.parse(stdout);
}

/** The processes of a container, once there are so many. */
function processesIn(agent: string, container: string, least: number): Promise<readonly ProcessRecord[]> {
  return waitFor("the processes", async () => {
    const { code, stdout } = await pidward(agent, "ps", container, "--json");
    const found: readonly ProcessRecord[] = code === 0 ? JSON.parse(stdout).processes : [];
    return found.length >= least && found.every(({ command }) => command !== null) ? found : undefined;
  });
}

testWith(
  needs,
  "the image is small, has no shell, and its command is pidward",
  async () => {
    const { Size: size, Config: config } = await docker.getImage(agentImage).inspect();
    expect(size).toBeLessThan(130e6);
    expect(config).toMatchObject({ Entrypoint: ["pidward"], Cmd: ["agent"] });
    const agent = await runAgent(observeAndAct);
    expect((await runIn(docker, agent.name, ["sh", "-c", "true"])).code).not.toBe(0);
    expect((await pidward(agent.name, "ps", "nobody")).code).toBe(3);
  },
  limitMs,
);

testWith(
  needs,
  "without any capability it shows what it may and says what it may not",
  async () => {
    const app = await containers.run({ argv: ["sh", "-c", "sleep 100001 & wait"], user: "1000" });
    const agent = await runAgent([]);
    const [process] = (await processesIn(agent.name, app.name, 2)).filter(({ name }) => name === "sleep");
    expect(process).toMatchObject({
      user: { id: 1000 },
      container: { name: app.name },
      readBytes: null,
    });
    const killed = await pidward(agent.name, "kill", process?.ref ?? "");
    expect(killed).toMatchObject({ code: 4, stderr: expect.stringMatching(/EPERM|not permitted|CAP_/) });
    expect(process && isAlive(process.ref)).toBe(true);
    const doctor = await pidward(agent.name, "doctor");
    for (const capability of ["CAP_KILL", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"])
      expect(doctor.stdout).toContain(capability);
  },
  limitMs,
);

for (const cgroupns of ["host", "private"] as const) {
  testWith(
    needs,
    `with least capabilities and a ${cgroupns} cgroup namespace it observes, kills, restarts and runs commands`,
    async () => {
      const [app, shop] = await Promise.all([
        containers.run({ argv: ["sh", "-c", "sleep 100001 & wait"], user: "1000" }),
        runSupervised(),
      ]);
      const agent = await runAgent(observeAndAct, { CgroupnsMode: cgroupns } as Docker.HostConfig);
      const sleep = (await processesIn(agent.name, app.name, 2)).find(({ name }) => name === "sleep");
      expect(sleep).toMatchObject({ openFiles: expect.any(Number), readBytes: expect.any(Number) });
      expect(await pidward(agent.name, "kill", sleep?.ref ?? "", "--grace", "5s")).toMatchObject({ code: 0 });
      expect(sleep && isAlive(sleep.ref)).toBe(false);

      await waitFor("supervisord's program", async () => {
        const { code, stdout } = await pidward(agent.name, "ps", `${shop.name}/web`, "--json");
        return code === 0 && JSON.parse(stdout).processes.length > 0;
      });
      const restarted = await pidward(agent.name, "restart", `${shop.name}/web`, "--settle=1s");
      expect(restarted).toMatchObject({ code: 0, stdout: expect.stringContaining("driver supervisord") });
      expect(await pidward(agent.name, "exec", shop.name, "--", "busybox", "echo", "here")).toEqual({
        code: 0,
        stdout: "here\n",
        stderr: "",
      });
      const { stdout } = await pidward(agent.name, "containers", "--json");
      const [shown] = JSON.parse(stdout).containers.filter(
        ({ name }: { name: string }) => name === shop.name,
      );
      expect(shown).toMatchObject({ known: true, image: managersImage });
    },
    limitMs,
  );
}

testWith(
  needs,
  "with SYS_ADMIN processes are read by BPF, and the host is described by its own files",
  async () => {
    const agent = await runAgent([...observeAndAct, "SYS_ADMIN"]);
    const doctor = await pidward(agent.name, "doctor");
    const canBpf = existsSync("/sys/kernel/btf/vmlinux");
    expect(doctor.stdout).toMatch(canBpf ? /processes are read by bpf$/m : /processes are read by procfs/);
    const log = await docker.getContainer(agent.id).logs({ stdout: true, stderr: true });
    expect(log.toString()).toContain("rootfs=/host");
  },
  limitMs,
);

/** A program that nobody manages; its restart is by a respawn. */
async function restartUnderWay(agent: TestContainer, target: string, state: string): Promise<void> {
  void pidward(agent.name, "restart", target, "--settle=60s").catch(() => undefined);
  await waitFor("the intent", () => {
    const file = path.join(state, "audit.jsonl");
    return existsSync(file) && readFileSync(file, "utf8").includes('"phase":"intent"');
  });
}

const ends = {
  "killed with -9": async ({ id }: TestContainer) => docker.getContainer(id).kill({ signal: "SIGKILL" }),
  "stopped and replaced by a new container": async ({ id }: TestContainer) =>
    docker.getContainer(id).stop({ t: 5 }),
} as const;

for (const [how, end] of Object.entries(ends)) {
  testWith(
    needs,
    `an agent that is ${how} in the middle of a restart leaves the workloads alone, and the next one tells of it`,
    async () => {
      const app = await containers.run({
        argv: ["sh", "-c", "sleep 100001 & sleep 100002 & while :; do sleep 1; wait; done"],
      });
      const state = mkdtempSync(path.join(scratch, "state-"));
      const agent = await runAgent(observeAndAct, {}, state);
      const before = await processesIn(agent.name, app.name, 3);
      const target = before.find(({ command }) => command?.[1] === "100001");
      await restartUnderWay(agent, target?.ref ?? "", state);
      const started = await waitFor("the new process", async () =>
        (await processesIn(agent.name, app.name, 3)).find(
          ({ command, ref }) => command?.[1] === "100001" && ref !== target?.ref,
        ),
      );
      await end(agent);
      const next = await runAgent(observeAndAct, {}, state);
      const after = await processesIn(next.name, app.name, 3);
      const refs = after.map(({ ref }) => ref);
      const others = before.filter(({ command }) => command?.[1] === "100002" || command?.[0] === "sh");
      expect(refs).toEqual(expect.arrayContaining([started.ref, ...others.map(({ ref }) => ref)]));
      const { records } = await json<{ records: readonly AuditRecord[] }>(next.name, "audit");
      const phases = records.filter(({ action }) => action === "restart").map(({ phase }) => phase);
      expect(phases).toEqual(expect.arrayContaining(["intent", "unfinished"]));
    },
    limitMs,
  );
}

testWith(
  needs,
  "an agent that runs out of memory takes nobody with it",
  async () => {
    const app = await containers.run({ argv: ["sh", "-c", "sleep 100001 & wait"] });
    const observer = await runAgent(observeAndAct);
    const before = await processesIn(observer.name, app.name, 2);
    const small = await containers.run({
      image: agentImage,
      argv: ["pidward", "agent"],
      env: ["PATH=/usr/bin"],
      host: { PidMode: "host", Memory: 24 << 20, MemorySwap: 24 << 20, Tmpfs: { "/run/pidward": "" } },
    });
    await outOfMemory(docker.getContainer(small.id));
    expect(before.every(({ ref }) => isAlive(ref))).toBe(true);
    expect((await processesIn(observer.name, app.name, 2)).map(({ ref }) => ref)).toEqual(
      before.map(({ ref }) => ref),
    );
  },
  limitMs,
);

testWith(
  [...needs, "docker-compose"],
  "compose.yaml is valid, and the agent that it starts answers on the host's socket",
  async () => {
    const file = path.join(__dirname, "../../deploy/compose.yaml");
    const whole = readFileSync(file, "utf8");
    // Debian's docker-compose does not know this one key.
    const known = whole.replace(/^ {2}cgroup: host\n/m, "");
    expect(known).toHaveLength(whole.length - "  cgroup: host\n".length);
    const text = isShared ? known : known.replace(/ *bind:\n *propagation: rslave\n/, "");
    const folder = mkdtempSync(path.join(scratch, "compose-"));
    writeFileSync(path.join(folder, "compose.yaml"), text.replace("context: ..", "context: ."));
    const compose = (...args: readonly string[]) =>
      spawnSync("docker-compose", ["--project-name", path.basename(folder).toLowerCase(), ...args], {
        cwd: folder,
        encoding: "utf8",
        env: {
          ...process.env,
          DOCKER_HOST: `unix://${process.env.PIDWARD_TEST_ENGINE}`,
          DOCKER_SOCKET: process.env.PIDWARD_TEST_ENGINE,
          PIDWARD_RUN: path.join(folder, "run"),
          PIDWARD_STATE: path.join(folder, "state"),
        },
      });
    const profiles = compose("--profile", "privileged", "config");
    expect(profiles).toMatchObject({ status: 0, stdout: expect.stringContaining("pidward-privileged") });
    try {
      const up = compose("up", "-d", "--no-build");
      expect([up.status, up.stderr]).toEqual([0, expect.any(String)]);
      await isReady("pidward");
      expect(existsSync(path.join(folder, "run/pidward.sock"))).toBe(true);
      const state = await waitFor(
        "the engine's health check",
        async () => {
          const { State: found } = await docker.getContainer("pidward").inspect();
          return found.Health?.Status === "healthy" ? found : undefined;
        },
        120_000,
      );
      expect(state.Running).toBe(true);
    } finally {
      expect(compose("down", "--volumes").status).toBe(0);
    }
  },
  limitMs,
);
