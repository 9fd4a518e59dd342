import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect } from "@jest/globals";
import type { ProcessRecord } from "../../agent/api.ts";
import { loadSyscalls } from "../../agent/syscalls.ts";
import { TestAgent } from "../support/agent.ts";
import { type TestContainer, type TestContainerOptions, TestContainers } from "../support/containers.ts";
import { startEngine } from "../support/engine.ts";
import { isAlive } from "../support/host-process.ts";
import { fatImage, makeImages, staticImage } from "../support/images.ts";
import { hasParts } from "../support/parts.ts";
import { testWith } from "../support/test-with.ts";
import { waitFor } from "../support/wait-for.ts";

const needs = ["docker", "busybox"] as const;
const shared = process.env.PIDWARD_TEST_ENGINE ?? "";
const allowed = "--control.allow-namespaces";
const agent = new TestAgent();
const containers = new TestContainers();

beforeAll(async () => {
  if (!hasParts(...needs)) return;
  const hostFolder = openSync("/", constants.O_RDONLY);
  await agent.start({ engine: shared, args: ["--scan.interval=200ms", allowed], inherits: [hostFolder] });
  closeSync(hostFolder);
}, 60_000);

afterAll(async () => {
  await containers.removeAll();
  await agent.remove();
}, 60_000);

/** An init that reaps and outlives its children. */
const lasting = (...programs: readonly string[]): readonly string[] => [
  "sh",
  "-c",
  `${programs.map((program) => `${program} & `).join("")}while true; do sleep 1; wait; done`,
];

async function processOf(
  container: TestContainer,
  program: string,
  of: TestAgent = agent,
  argument = "",
): Promise<ProcessRecord> {
  return waitFor(`${program} in ${container.name}`, async () => {
    const { status, json } = await of.get(`/api/v1/processes?selector=${container.name}/${program}`);
    const found: readonly ProcessRecord[] = status === 200 ? json.processes : [];
    return found.find(({ command }) => argument === "" || command?.includes(argument) === true);
  });
}

/** Field 4 of /proc/PID/stat (proc_pid_stat(5)). */
const parentOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")[1]);

/** What of a process is not to change by a restart. */
function traits(pid: number): Readonly<Record<string, unknown>> {
  const read = (name: string): string => readFileSync(`/proc/${pid}/${name}`, "utf8");
  const kept =
    /^(Umask|Uid|Gid|Groups|CapInh|CapPrm|CapEff|CapBnd|CapAmb|Cpus_allowed|NoNewPrivs|Seccomp|Seccomp_filters):\s*(.*)$/gm;
  const namespaces = readdirSync(`/proc/${pid}/ns`).map((name) => readlinkSync(`/proc/${pid}/ns/${name}`));
  return {
    status: [...read("status").matchAll(kept)].map(([, name, value]) => `${name} ${value?.trim()}`),
    namespaces,
    cgroup: read("cgroup"),
    command: read("cmdline"),
    environment: read("environ").split("\0").sort(),
    workdir: readlinkSync(`/proc/${pid}/cwd`),
    root: readlinkSync(`/proc/${pid}/root`),
    limits: read("limits"),
    oomScoreAdjust: read("oom_score_adj"),
    nice: read("stat").split(") ")[1]?.split(" ")[16],
  };
}

const pidOf = (ref: string): number => Number(ref.split("@")[0]);

async function restart(selector: string, of: TestAgent = agent, driver?: string) {
  const { status, json } = await of.post("/api/v1/restart", { selector, driver, settleSeconds: 0.3 });
  return { status, json };
}

/** Known to the engine, not to its types. */
const privateCgroups = { CgroupnsMode: "private" };

const cases: readonly [string, Omit<TestContainerOptions, "argv">, string][] = [
  ["root", {}, "httpd -f -p 8080 -h /srv"],
  ["a user with groups", { user: "app", workdir: "/srv" }, "env SECRET=x=y httpd -f -p 8080"],
  [
    "more capabilities, fewer limits, no new privileges",
    {
      host: {
        CapAdd: ["SYS_PTRACE", "NET_ADMIN"],
        CapDrop: ["MKNOD"],
        SecurityOpt: ["no-new-privileges"],
        Ulimits: [{ Name: "nofile", Soft: 99, Hard: 199 }],
        OomScoreAdj: 300,
      },
    },
    "httpd -f -p 8080",
  ],
  [
    "the host's PIDs, network and cgroups and no seccomp filter",
    {
      host: {
        PidMode: "host",
        ...privateCgroups,
        IpcMode: "host",
        SecurityOpt: ["seccomp=unconfined"],
      },
    },
    "sh -c 'umask 027; ulimit -c 0 -v 20000; exec taskset 1 httpd -f -p 8080'",
  ],
];

for (const [title, options, program] of cases) {
  testWith(needs, `the like of a process is started through namespaces: ${title}`, async () => {
    const web = await containers.run({ argv: lasting(program, "sleep 7777"), ...options });
    const old = await processOf(web, "httpd");
    // Not the moment's sleep of the init's loop.
    const sleeper = await processOf(web, "sleep", agent, "7777");
    os.setPriority(old.pid, 5);
    const before = traits(old.pid);
    const unfiltered = options.host?.SecurityOpt?.includes("seccomp=unconfined") ?? false;
    expect(before.status).toContain(unfiltered ? "Seccomp 0" : "Seccomp 2");

    const { status, json } = await restart(`${web.name}/httpd`, agent, "namespaces");
    expect({ status, json }).toMatchObject({ status: 200, json: { driver: "namespaces", old: [old.ref] } });
    const pid = pidOf(json.new[0]);
    expect(isAlive(old.pid)).toBe(false);
    expect(traits(pid)).toEqual(before);
    expect(isAlive(sleeper.pid)).toBe(true);
    const [, parent, , session] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    expect(session).toBe(String(pid));
    expect(parent).not.toBe(String(agent.pid));
    expect(readdirSync(`/proc/${pid}/fd`).slice(0, 3)).toEqual(["0", "1", "2"]);
    expect(readlinkSync(`/proc/${pid}/fd/1`)).toBe("/dev/null");
    // The helper is gone, and the new process is known as the program.
    await waitFor("it to be the program", async () => (await processOf(web, "httpd")).ref === json.new[0]);
    const { json: all } = await agent.get(`/api/v1/processes?container=${web.name}`);
    expect(all.processes.map((one: ProcessRecord) => one.name)).not.toContain("pidward-start");
    // Whoever is its parent reaps it.
    expect((await agent.cli("kill", json.new[0], "--signal", "KILL", "--grace", "5s")).code).toBe(0);
    await waitFor("its end", () => !existsSync(`/proc/${pid}`));
  });
}

testWith(needs, "a program in a container without a shell is started through namespaces", async () => {
  const bare = await containers.run({ argv: ["/sleep", "100001"], image: staticImage });
  await containers.exec(bare.id, ["/sleep", "100002"]);
  const second: ProcessRecord = await waitFor("the second", async () => {
    const { json } = await agent.get(`/api/v1/processes?container=${bare.name}`);
    return json.processes?.find(({ command }: ProcessRecord) => command?.[1] === "100002");
  });
  const before = traits(second.pid);
  const { json } = await restart(second.ref, agent, "namespaces");
  expect(json).toMatchObject({ driver: "namespaces", old: [second.ref] });
  expect(isAlive(second.pid)).toBe(false);
  const pid = pidOf(json.new[0]);
  expect(traits(pid)).toEqual(before);
  // Nothing of the helper's is left open in it.
  expect(readdirSync(`/proc/${pid}/fd`)).toEqual(["0", "1", "2"]);
});

testWith(needs, "it is off by default, and the reason says what would allow it", async () => {
  const web = await containers.run({ argv: lasting("httpd -f -p 8080") });
  const cautious = new TestAgent();
  try {
    await cautious.start({ engine: shared, args: ["--scan.interval=200ms"] });
    const old = await processOf(web, "httpd", cautious);
    const refused = await cautious.cli("restart", `${web.name}/httpd`, "--driver", "namespaces");
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining(allowed) });
    expect(isAlive(old.pid)).toBe(true);
  } finally {
    await cautious.remove();
  }
});

testWith(needs, "a paused container is told so, and nothing is stopped", async () => {
  const web = await containers.run({ argv: lasting("httpd -f -p 8080") });
  const old = await processOf(web, "httpd");
  await containers.get(web.id).pause();
  const { status, json } = await restart(`${web.name}/httpd`, agent, "namespaces");
  expect({ status, json }).toMatchObject({
    status: 409,
    // The kernel's word can be there before the engine's.
    json: { detail: expect.stringMatching(/is paused|is frozen/) },
  });
  await containers.get(web.id).unpause();
  expect(isAlive(old.pid)).toBe(true);
});

testWith(needs, "what cannot be made ready leaves the old process running", async () => {
  const web = await containers.run({ argv: lasting("httpd -f -p 8080") });
  const old = await processOf(web, "httpd");
  await containers.exec(web.id, ["sh", "-c", "rm /dev/null && mkfifo /dev/null"]);
  await waitFor("the FIFO", () =>
    lstatSync(`/proc/${web.pid}/root/dev/null`, { throwIfNoEntry: false })?.isFIFO(),
  );
  const { status, json } = await restart(`${web.name}/httpd`, agent, "namespaces");
  expect({ status, json }).toMatchObject({
    status: 502,
    json: { detail: expect.stringContaining("no /dev/null") },
  });
  expect(isAlive(old.pid)).toBe(true);
});

testWith(needs, "an interpreter that leads to the helper's own program is not run", async () => {
  const web = await containers.run({ argv: lasting("cp /bin/busybox /srv/sleep; exec /srv/sleep 5555") });
  const old = await waitFor("the sleeper", async () => {
    const { json } = await agent.get(`/api/v1/processes?container=${web.name}`);
    return json.processes?.find((one: ProcessRecord) => one.command?.[0] === "/srv/sleep");
  });
  const script = "rm /srv/sleep; printf '#!/proc/self/exe\\n' > /srv/sleep; chmod +x /srv/sleep";
  await containers.exec(web.id, ["sh", "-c", script]);
  const replaced = `/proc/${web.pid}/root/srv/sleep`;
  await waitFor("the script", () => {
    const found = statSync(replaced, { throwIfNoEntry: false });
    return found !== undefined && found.size < 100 && (found.mode & 1) === 1;
  });
  const { status, json } = await restart(old.ref, agent, "namespaces");
  expect({ status, json }).toMatchObject({
    status: 502,
    json: { detail: expect.stringContaining('"/srv/sleep" could not be started: spawn /srv/sleep ENOENT') },
  });
});

testWith(needs, "an executable on a read-only mount cannot be written through its process", async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-mount-"));
  const program = path.join(folder, "program");
  copyFileSync("/bin/busybox", program);
  const mount = (await loadSyscalls()).openReadOnlyMount(program);
  const child = spawn(`/proc/self/fd/${mount}`, ["100000"], { argv0: "sleep", stdio: "ignore" });
  const ended = once(child, "exit");
  const held = openSync(`/proc/${child.pid}/exe`, 0o10000000);
  child.kill("SIGKILL");
  await ended;
  const write = () => openSync(`/proc/self/fd/${held}`, constants.O_WRONLY);
  expect(write).toThrow("EROFS");
  closeSync(mount);
  expect(write).toThrow("EROFS");
  closeSync(held);
  rmSync(folder, { recursive: true });
});

testWith(
  needs,
  "a program is restarted while the engine is away",
  async () => {
    const engine = await startEngine();
    const own = new TestAgent();
    const others = new TestContainers(engine.socket);
    /** Of a container that the engine has left behind: its init, and the runtime's process above it. */
    let leftBehind: readonly number[] = [];
    try {
      await makeImages(engine.docker);
      await own.start({ engine: engine.socket, args: ["--scan.interval=200ms", allowed] });
      const web = await others.run({ argv: lasting("httpd -f -p 8080"), image: fatImage });
      const old = await processOf(web, "httpd", own);
      const before = traits(old.pid);
      leftBehind = [web.pid, parentOf(web.pid)];
      await engine.crash();
      await waitFor("the agent to notice", async () => {
        const { json } = await own.get("/readyz");
        return json.runtimes[0].available === false;
      });
      const shown = await own.cli("restart", `${web.name}/httpd`, "--settle", "300ms");
      expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining("driver namespaces") });
      const fresh = await waitFor("a scan of the new one", async () => {
        const found = await processOf(web, "httpd", own);
        return found.pid !== old.pid && found;
      });
      expect(traits(fresh.pid)).toEqual(before);
      // It outlives the agent, and ends with its container.
      await own.stop();
      expect(isAlive(fresh.pid)).toBe(true);
      process.kill(web.pid, "SIGKILL");
      await waitFor("its end", () => !isAlive(fresh.pid));
    } finally {
      await own.remove();
      for (const pid of leftBehind) if (isAlive(pid)) process.kill(pid, "SIGKILL");
      if (leftBehind.length === 0) await others.removeAll();
      await engine.remove();
    }
  },
  180_000,
);
