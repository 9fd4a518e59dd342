import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect } from "@jest/globals";
import type Docker from "dockerode";
import { agentImage, buildAgentImage } from "../support/agent-image.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { hasParts } from "../support/parts.ts";
import { runIn } from "../support/run-in.ts";
import { testWith } from "../support/test-with.ts";
import { waitFor } from "../support/wait-for.ts";
import { unlessGone } from "../support/when-gone.ts";

const needs = ["docker", "busybox"] as const;
const limitMs = 240_000;
const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-swarm-"));
const stackFile = path.join(__dirname, "../../deploy/swarm/stack.yaml");
/** What is mounted later is seen too, where the machine's root is a shared mount: systemd makes it so. */
const isShared = / \/ \/ \S+ (\S+ )*shared:/.test(readFileSync("/proc/self/mountinfo", "utf8"));
let engine: TestEngine;

/** The command line of Docker against the tests' own Swarm of one node. */
function docker(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync("docker", args, {
    encoding: "utf8",
    timeout: 120_000,
    env: {
      ...process.env,
      DOCKER_HOST: `unix://${engine.socket}`,
      DOCKER_SOCKET: engine.socket,
      AGENT_RUN: path.join(scratch, "run"),
      AGENT_STATE: path.join(scratch, "state"),
      AGENT_ROOT_MODE: isShared ? "ro,rslave" : "ro",
    },
  });
  if (status !== 0) throw new Error(`docker ${args.join(" ")} ended with ${status}: ${stderr}${stdout}`);
  return stdout;
}

beforeAll(async () => {
  if (!hasParts(...needs)) return;
  engine = await startEngine();
  // The manager speaks to itself over the loopback, which is down in a new network namespace.
  const pid = readFileSync(path.join(path.dirname(engine.socket), "pid"), "utf8").trim();
  spawnSync("nsenter", ["-t", pid, "-n", "busybox", "ip", "link", "set", "lo", "up"]);
  buildAgentImage(engine.socket);
  docker("swarm", "init", "--advertise-addr", "127.0.0.1");
  docker("stack", "deploy", "-c", stackFile, "--resolve-image=never", "pidward");
}, limitMs);
afterAll(async () => {
  if (!hasParts(...needs)) return;
  try {
    if (docker("service", "ls", "-q") !== "") await removeStack();
    docker("swarm", "leave", "--force");
  } finally {
    await engine.remove();
    rmSync(scratch, { recursive: true });
  }
}, limitMs);

async function removeStack(): Promise<void> {
  docker("stack", "rm", "pidward");
  await waitFor("the end of the stack", async () => (await launchers()).length === 0, 120_000);
}

/** Swarm removes the containers of tasks that have ended: such a one says nothing. */
async function logOf(id: string): Promise<string> {
  const log = await unlessGone(engine.docker.getContainer(id).logs({ stdout: true, stderr: true }));
  return log?.toString("utf8") ?? "";
}

/** What all launchers said so far, with what they hand on of the agent's log. */
async function launcherLog(): Promise<string> {
  const all = await engine.docker.listContainers({
    all: true,
    filters: { label: ["com.docker.swarm.service.name=pidward_agent"] },
  });
  const logs = all.map(({ Id }) => logOf(Id));
  return (await Promise.all(logs)).join("\n");
}

async function find(name: string): Promise<Docker.ContainerInspectInfo | undefined> {
  const found = await engine.docker.listContainers({ all: true, filters: { name: [`^/${name}$`] } });
  return found[0] && unlessGone(engine.docker.getContainer(found[0].Id).inspect());
}

/** The service's tasks that run. */
function launchers(): Promise<readonly Docker.ContainerInfo[]> {
  return engine.docker.listContainers({
    filters: { label: ["com.docker.swarm.service.name=pidward_agent"] },
  });
}

/** An agent that answers, other than the one with that id. */
function agentOtherThan(id?: string): Promise<Docker.ContainerInspectInfo> {
  return waitFor(
    "an agent that answers",
    async () => {
      const found = await find("pidward");
      if (found === undefined || found.Id === id || !found.State.Running) return undefined;
      const health = await unlessGone(runIn(engine.docker, found.Id, ["pidward", "health"]));
      return health?.code === 0 ? found : undefined;
    },
    150_000,
  );
}

async function runs(container: string, argv: readonly string[]): Promise<boolean> {
  return (await runIn(engine.docker, container, argv)).code === 0;
}

testWith(
  needs,
  "a global service starts the agent on its node, with the host's PIDs and the rights of stack.yaml",
  async () => {
    const agent = await agentOtherThan();
    expect(agent.HostConfig).toMatchObject({
      PidMode: "host",
      CgroupnsMode: "host",
      ReadonlyRootfs: true,
      Privileged: false,
      CapDrop: ["ALL"],
      CapAdd: ["SYS_PTRACE", "DAC_READ_SEARCH", "KILL", "SYS_ADMIN"],
    });
    const [launcher] = await launchers();
    expect(launcher?.ImageID).toBe(agent.Image);
    const shown = await runIn(engine.docker, "pidward", ["pidward", "ps", "pidward", "--json"]);
    const { processes } = JSON.parse(shown.stdout);
    expect(processes.map(({ pid }: { pid: number }) => pid)).toContain(agent.State.Pid);
    const doctor = await runIn(engine.docker, "pidward", ["pidward", "doctor"]);
    expect(doctor.stdout).toMatch(/deployment +a container started by a Swarm service/);
    expect(doctor.stdout).toMatch(/ok +kill_other_users/);
    expect(await runs(launcher?.Id ?? "", ["node", "/launch.mjs", "--health"])).toBe(true);
    expect(await launcherLog()).toMatch(/launch: started[\s\S]*msg=listening/);
    expect(existsSync(path.join(scratch, "run/pidward.sock"))).toBe(true);
  },
  limitMs,
);

testWith(
  needs,
  "an agent that ends is started again; a launcher that is killed leaves the agent to the next one",
  async () => {
    const first = await agentOtherThan();
    await engine.docker.getContainer(first.Id).kill({ signal: "SIGKILL" });
    const second = await agentOtherThan(first.Id);
    const launcher = await waitFor("the launcher of that agent", async () => {
      const found = await launchers();
      const logs = await Promise.all(found.map(({ Id }) => logOf(Id)));
      return found.find((_, at) => logs[at]?.includes("launch: started the agent"));
    });
    await engine.docker.getContainer(launcher.Id).kill({ signal: "SIGKILL" });
    await waitFor(
      "a next launcher to see the agent",
      async () => {
        const next = (await launchers()).filter(({ Id }) => Id !== launcher.Id);
        const logs = await Promise.all(next.map(({ Id }) => logOf(Id)));
        return logs.some((log) => log.includes("the agent runs already"));
      },
      120_000,
    );
    expect(await find("pidward")).toMatchObject({
      Id: second.Id,
      State: { StartedAt: second.State.StartedAt },
    });
  },
  limitMs,
);

testWith(
  needs,
  "an update of the service replaces the agent, and doctor says where what it lacks is given",
  async () => {
    const before = await agentOtherThan();
    const rights = "AGENT_CAPABILITIES=SYS_PTRACE,DAC_READ_SEARCH";
    docker("service", "update", "--detach", "--no-resolve-image", "--env-add", rights, "pidward_agent");
    const after = await agentOtherThan(before.Id);
    expect(after.HostConfig.CapAdd).toEqual(["SYS_PTRACE", "DAC_READ_SEARCH"]);
    const { stdout } = await runIn(engine.docker, "pidward", ["pidward", "doctor"]);
    expect(stdout).toMatch(/missing +kill_other_users/);
    expect(stdout).toContain("→ in stack.yaml, environment: add KILL to AGENT_CAPABILITIES");
  },
  limitMs,
);

testWith(
  needs,
  "the stack takes its agent along, and leaves a container of another alone that has the name",
  async () => {
    await agentOtherThan();
    await removeStack();
    expect(await find("pidward")).toBeUndefined();
    const other = await engine.docker.createContainer({
      name: "pidward",
      Image: agentImage,
      Entrypoint: ["node", "-e", "setInterval(() => {}, 1e6)"],
      HostConfig: { NetworkMode: "none" },
    });
    await other.start();
    docker("stack", "deploy", "-c", stackFile, "--resolve-image=never", "pidward");
    await waitFor(
      "the launcher to refuse",
      async () => (await launcherLog()).includes('a container "pidward" is there'),
      120_000,
    );
    expect(await find("pidward")).toMatchObject({ Id: other.id, State: { Running: true } });
    await other.remove({ force: true });
    const agent = await agentOtherThan(other.id);
    expect(agent.Config.Labels["pidward.launched-by"]).toBe("swarm");
    await removeStack();
  },
  limitMs,
);
