import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, expect } from "@jest/globals";
import { createManagerFinders } from "../../agent/managers/find-managers.ts";
import type {
  InsideProcess,
  InsideResult,
  ManagedProgram,
  Manager,
  ManagerKind,
  ManagerParts,
} from "../../agent/managers/manager.ts";
import type { Container } from "../../agent/model.ts";
import { createProcessFiles } from "../../agent/source/procfs/process-files.ts";
import { loadSyscalls } from "../../agent/syscalls.ts";
import { type TestContainer, TestContainers } from "../support/containers.ts";
import {
  makeManagersImage,
  makeSystemdImage,
  managersImage,
  systemdHost,
  systemdImage,
} from "../support/manager-images.ts";
import { hasParts } from "../support/parts.ts";
import { runIn } from "../support/run-in.ts";
import { testWith } from "../support/test-with.ts";
import { waitFor } from "../support/wait-for.ts";

const containers = new TestContainers();
const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-managers-"));
const needs = ["docker", "busybox", "supervisor", "s6", "runit", "tini"] as const;
const systemdNeeds = ["docker", "busybox", "systemd"] as const;
let parts: ManagerParts;

beforeAll(async () => {
  const files = createProcessFiles("/proc");
  parts = {
    runInside,
    procRoot: "/proc",
    syscalls: await loadSyscalls(),
    readStat: files.readStat,
    readEnviron: files.readEnviron,
    readLink: files.readLink,
    monotonicMs: () => performance.now(),
  };
  if (hasParts(...needs)) await makeManagersImage(containers.docker);
  if (hasParts(...systemdNeeds)) await makeSystemdImage(containers.docker);
}, 120_000);

afterEach(() => containers.removeAll());
afterAll(() => rmSync(scratch, { recursive: true }));

async function runInside(container: Container, argv: readonly string[]): Promise<InsideResult> {
  const { code, stdout, stderr } = await runIn(containers.docker, container.id, argv, "0");
  return { exitCode: code, stdout, stderr };
}

/** The processes of a container, as a scan would give them. */
function processesOf(container: TestContainer): readonly InsideProcess[] {
  const found: InsideProcess[] = [];
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const cgroup = readFileSync(`/proc/${entry}/cgroup`, "utf8");
      if (!cgroup.includes(container.id)) continue;
      const stat = readFileSync(`/proc/${entry}/stat`, "latin1");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const status = readFileSync(`/proc/${entry}/status`, "utf8");
      const inside = /^NSpid:.*\t(\d+)$/m.exec(status)?.[1];
      found.push({
        ref: { pid: Number(entry), startTicks: Number(fields[19]) },
        parentPid: Number(fields[1]),
        containerPid: inside === undefined || inside === entry ? null : Number(inside),
        name: stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")),
        command: readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0").slice(0, -1),
        cgroup,
      });
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

function asContainer({ id, name, pid }: TestContainer): Container {
  return {
    id,
    runtime: "docker",
    name,
    image: null,
    labels: {},
    state: "running",
    initPid: pid,
    createdAt: null,
    startedAt: null,
    health: null,
    restartCount: null,
    exitCode: null,
    oomKilled: false,
    restartPolicy: null,
    known: true,
  };
}

function managersOf(container: TestContainer, kind: ManagerKind): readonly Manager[] {
  const finder = createManagerFinders(parts).find((one) => one.kind === kind);
  return finder?.find(asContainer(container), processesOf(container)) ?? [];
}

/** The container's only manager of the kind, once it answers with so many programs. */
async function managerOf(container: TestContainer, kind: ManagerKind, programs = 0): Promise<Manager> {
  let last: unknown;
  const look = async (): Promise<Manager | undefined> => {
    const [manager] = managersOf(container, kind);
    try {
      const listed = await manager?.list();
      return listed === undefined || listed.length < programs ? undefined : manager;
    } catch (error) {
      last = error;
      return undefined;
    }
  };
  try {
    return await waitFor(`${kind} in ${container.name}`, look);
  } catch (error) {
    const log = await containers.get(container.id).logs({ stdout: true, stderr: true });
    throw new Error(`${error}: ${last}\n${log}`);
  }
}

async function programOf(manager: Manager, name: string): Promise<ManagedProgram | undefined> {
  return (await manager.list()).find((program) => program.name === name);
}

async function programIn(manager: Manager, name: string, state: string): Promise<ManagedProgram> {
  return waitFor(`${name} to be ${state}`, async () => {
    const program = await programOf(manager, name);
    return program?.state === state ? program : undefined;
  });
}

let folders = 0;

/** A folder of the test with files in it, to be mounted into a container. */
function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = path.join(scratch, `folder-${folders++}`);
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text, { mode: 0o755 });
  }
  return folder;
}

const server = "[unix_http_server]\nfile=/run/supervisor.sock\n";
const rpc =
  "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n";
const daemon =
  "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=/run/supervisord.pid\n";

const program = (name: string, command: string, more = ""): string =>
  `[program:${name}]\ncommand=${command}\nstartsecs=0\n${more}\n`;

interface SupervisedOptions {
  readonly argv?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: readonly string[];
  readonly binds?: readonly string[];
}

/** A container whose init is supervisord with this configuration. */
async function supervised(config: string, options: SupervisedOptions = {}): Promise<TestContainer> {
  const folder = folderWith({ "supervisord.conf": config, ...options.files });
  return containers.run({
    image: managersImage,
    argv: options.argv ?? [
      "/usr/bin/python3",
      "/usr/bin/supervisord",
      "-c",
      "/etc/supervisor/supervisord.conf",
    ],
    env: ["PATH=/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1", ...(options.env ?? [])],
    host: { Binds: [`${folder}:/etc/supervisor`, ...(options.binds ?? [])] },
  });
}

const fullConfig = [
  server,
  rpc,
  daemon,
  program("web", "/bin/sleep 100001"),
  program("api", "/bin/sleep 100002"),
  program("off", "/bin/sleep 100003", "autostart=false"),
  program("broken", "/bin/sh -c 'exit 7'", "startsecs=1\nstartretries=0"),
  "[program:flapping]\ncommand=/bin/sh -c 'exit 3'\nstartsecs=1\nstartretries=100\n",
  "[program:done]\ncommand=/bin/sh -c 'exit 4'\nstartsecs=0\nautorestart=false\n",
  "[program:many]\ncommand=/bin/sleep 100004\nstartsecs=0\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)02d\n",
].join("\n");

testWith(needs, "supervisord's programs are listed with their states and host PIDs", async () => {
  const shop = await supervised(fullConfig);
  const manager = await managerOf(shop, "supervisord");
  expect(manager.ref.pid).toBe(shop.pid);
  await programIn(manager, "broken", "FATAL");
  await programIn(manager, "flapping", "BACKOFF");
  await programIn(manager, "many:many_00", "RUNNING");
  await programIn(manager, "done", "EXITED");
  const programs = await manager.list();
  expect(programs.map((one) => [one.name, one.condition])).toEqual([
    ["api", "running"],
    ["broken", "failed"],
    ["done", "failed"],
    ["flapping", "failed"],
    ["many:many_00", "running"],
    ["many:many_01", "running"],
    ["off", "stopped"],
    ["web", "running"],
  ]);
  const web = programs.at(-1);
  // It is called running before it has become what it runs.
  await waitFor(
    "web's command line",
    () => readFileSync(`/proc/${web?.pid}/cmdline`, "utf8") === "/bin/sleep\x00100001\0",
  );
  expect(programs.find((one) => one.name === "broken")?.remark).toMatch(/^Exited too quickly/);
  expect(programs.find((one) => one.name === "done")).toMatchObject({
    state: "EXITED",
    remark: "exit status 4",
  });
  expect(programs.find((one) => one.name === "off")).toMatchObject({
    state: "STOPPED",
    pid: null,
    remark: "Not started",
  });
});

const sleeps = (...names: readonly string[]): string =>
  names.map((name, index) => program(name, `/bin/sleep ${100_001 + index}`)).join("\n");

const pidsOf = async (manager: Manager): Promise<Readonly<Record<string, number | null>>> =>
  Object.fromEntries((await manager.list()).map((one) => [one.name, one.pid]));

/** The message of what a call fails with, and its code. */
async function failureOf(
  call: Promise<unknown>,
): Promise<{ readonly code: unknown; readonly message: string }> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Error) return { code: Reflect.get(error, "code"), message: error.message };
  }
  throw new Error("the call did not fail");
}

testWith(
  needs,
  "a restart by supervisord gives a program a new process and leaves the others alone",
  async () => {
    const shop = await supervised(fullConfig);
    const manager = await managerOf(shop, "supervisord");
    await programIn(manager, "many:many_01", "RUNNING");
    await programIn(manager, "done", "EXITED");
    const before = await pidsOf(manager);
    for (const name of ["web", "many:many_00"]) {
      await manager.restart(name);
      expect((await programOf(manager, name))?.condition).toBe("running");
    }
    const after = await pidsOf(manager);
    const changed = Object.keys(before).filter((name) => before[name] !== after[name]);
    expect(changed.filter((name) => name !== "flapping" && name !== "broken")).toEqual([
      "many:many_00",
      "web",
    ]);
    expect(after.web).toEqual(expect.any(Number));
    await manager.restart("off");
    expect((await programOf(manager, "off"))?.state).toBe("RUNNING");
    await manager.stop("off");
    await manager.stop("off");
    expect(await programOf(manager, "off")).toMatchObject({
      state: "STOPPED",
      condition: "stopped",
      pid: null,
    });
    expect(manager.describeRestart("web")).toBe(`supervisord in ${shop.name}: stop and start program "web"`);
  },
);

testWith(needs, "what supervisord refuses or cannot start is quoted", async () => {
  const shop = await supervised(
    [
      fullConfig,
      program("missing", "/no/such/file", "autostart=false"),
      program("plain", "/etc/passwd", "autostart=false"),
    ].join("\n"),
  );
  const manager = await managerOf(shop, "supervisord");
  const label = `supervisord in ${shop.name}`;
  expect(await failureOf(manager.restart("nobody"))).toEqual({
    code: "not_found",
    message: `${label} has no program "nobody"; it has api, broken, done, flapping, many:many_00, many:many_01, missing, off, plain, web`,
  });
  expect(await failureOf(manager.restart("many"))).toMatchObject({ code: "not_found" });
  expect(await failureOf(manager.restart("missing"))).toEqual({
    code: "failed",
    message: `${label} refused startProcess "missing": NO_FILE (20): can't find command '/no/such/file'`,
  });
  expect(await failureOf(manager.restart("plain"))).toEqual({
    code: "failed",
    message: `${label} refused startProcess "plain": NOT_EXECUTABLE (21): command at '/etc/passwd' is not executable`,
  });
  await programIn(manager, "broken", "FATAL");
  expect((await failureOf(manager.restart("broken"))).message).toMatch(
    // SPAWN_ERROR where it has ended before supervisord looks at it.
    /was told to start "broken", and it is (BACKOFF|FATAL): Exited too quickly|refused startProcess "broken": SPAWN_ERROR/,
  );
});

testWith(
  needs,
  "a program that takes long to stop is waited for, and killed by supervisord after its stopwaitsecs",
  async () => {
    const stubborn = `/bin/sh -c "trap : TERM; while true; do usleep 100000; done"`;
    const shop = await supervised(
      [
        server,
        rpc,
        daemon,
        program("slow", `/bin/sh -c "trap 'sleep 2; exit' TERM; while true; do usleep 50000; done"`),
        program("deaf", stubborn, "stopwaitsecs=1"),
      ].join("\n"),
    );
    const manager = await managerOf(shop, "supervisord");
    await programIn(manager, "deaf", "RUNNING");
    const before = await pidsOf(manager);
    await Promise.all([manager.restart("slow"), manager.restart("deaf")]);
    const after = await pidsOf(manager);
    expect(Object.values(after)).toEqual([expect.any(Number), expect.any(Number)]);
    expect(Object.keys(before).filter((name) => before[name] === after[name])).toEqual([]);
  },
);

testWith(needs, "a supervisord that is frozen or gone is said to be so, in time", async () => {
  const shop = await supervised([server, rpc, daemon, sleeps("web")].join("\n"));
  const manager = await managerOf(shop, "supervisord");
  process.kill(manager.ref.pid, "SIGSTOP");
  try {
    expect(await failureOf(manager.restart("web"))).toEqual({
      code: "unavailable",
      // A call that was begun before the signal took effect waits in vain.
      message: expect.stringMatching(/cannot be called: (it is stopped|no answer within 5 s)/),
    });
  } finally {
    process.kill(manager.ref.pid, "SIGCONT");
  }
  expect((await programOf(manager, "web"))?.state).toBe("RUNNING");
  await containers.get(shop.id).kill();
  await waitFor("the end", () => !existsSync(`/proc/${manager.ref.pid}`));
  expect(await failureOf(manager.list())).toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/^supervisord in .* cannot be called: it has ended$/),
  });
});

testWith(needs, "a configuration is found and read as supervisord does it", async () => {
  const folder = "d".repeat(60);
  const long = `[unix_http_server]\nfile=%(here)s/../../run/short/%(ENV_SOCKET)s ; over 108 bytes behind the link\n`;
  const variants: readonly [string, SupervisedOptions][] = [
    // The default search, a relative include, a socket behind /var/run -> /run, below tini.
    [
      `${daemon}[include]\nfiles = conf.d/*.conf`,
      {
        argv: ["/usr/bin/tini", "--", "/usr/bin/supervisord", "-n"],
        files: {
          "conf.d/a.conf": server.replace("/run", "/var/run"),
          "conf.d/b.conf": rpc + sleeps("web"),
          "conf.d/no.txt": "",
        },
      },
    ],
    [
      long + rpc + daemon + sleeps("web"),
      {
        argv: [
          "/bin/sh",
          "-c",
          `mkdir -p /run/${folder}/${folder}; ln -s ${folder}/${folder} /run/short; cd /etc; exec supervisord -nc supervisor/supervisord.conf`,
        ],
        env: ["SOCKET=super.sock"],
      },
    ],
    // Only an address, with user and password.
    [
      "[inet_http_server]\nport=127.0.0.1:9001\nusername=ops\npassword=%%s3:cret\n" +
        rpc +
        daemon +
        sleeps("web"),
      {},
    ],
    [`[inet_http_server]\nport=localhost:9001\n${rpc}${daemon}${sleeps("web")}`, {}],
    // A hash of a password is of no use, and the other server is.
    [
      `${server}username=ops\npassword={SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d\n[inet_http_server]\nport=127.0.0.1:9001\n` +
        rpc +
        daemon +
        sleeps("web"),
      {},
    ],
  ];
  const network = readlinkSync("/proc/thread-self/ns/net");
  for (const [config, options] of variants) {
    const shop = await supervised(config, options);
    const manager = await managerOf(shop, "supervisord");
    const { pid } = await programIn(manager, "web", "RUNNING");
    await manager.restart("web");
    const fresh = await programOf(manager, "web");
    expect(fresh?.pid).toEqual(expect.any(Number));
    expect(fresh?.pid).not.toBe(pid);
  }
  expect(readlinkSync("/proc/thread-self/ns/net")).toBe(network);
});

testWith(needs, "a supervisord that cannot be called says why", async () => {
  const reasons: readonly [string, string][] = [
    [daemon + sleeps("web"), "in its configuration, [unix_http_server] is not there"],
    [
      `${server}username=ops\npassword={SHA}82ab876d\n${rpc}${daemon}`,
      "in its configuration, [unix_http_server] has only the password's hash",
    ],
    [
      server + daemon,
      "UNKNOWN_METHOD (1): it has no such call; its configuration may have no [rpcinterface:supervisor]",
    ],
  ];
  for (const [config, reason] of reasons) {
    const shop = await supervised(config);
    const { message } = await waitFor("an answer", async () => {
      const [manager] = managersOf(shop, "supervisord");
      const failure = manager && (await failureOf(manager.list()));
      // There is no socket yet, or nobody listens on it yet.
      return failure?.message.includes(reason) === true && failure;
    });
    expect(message).toContain(reason);
  }
});

testWith(needs, "no link and no mount in a container makes the agent call a socket of the host", async () => {
  let calls = "";
  const host = net.createServer((socket) =>
    socket.on("data", (chunk) => (calls += chunk)).on("error", () => {}),
  );
  const socketPath = path.join(scratch, "host.sock");
  await new Promise<void>((resolve) => host.listen(socketPath, resolve));
  try {
    const shop = await supervised([server, rpc, daemon, sleeps("web")].join("\n"), {
      binds: [`${socketPath}:/run/mounted.sock`],
    });
    const manager = await managerOf(shop, "supervisord");
    await runInside(asContainer(shop), ["ln", "-sf", socketPath, "/run/supervisor.sock"]);
    expect((await failureOf(manager.list())).message).toContain("there is no socket /run/supervisor.sock");
    await runInside(asContainer(shop), ["ln", "-sf", "/run/mounted.sock", "/run/supervisor.sock"]);
    expect((await failureOf(manager.list())).message).toContain(
      `its socket is served by process ${process.pid}, outside the container`,
    );
    expect(calls).toBe("");
  } finally {
    host.close();
  }
});

const script = (command: string): string => `#!/bin/sh\n${command}\n`;

/** Folders of services that s6 and runit understand both. */
const services = {
  "web/run": script("exec sleep 100001"),
  "web/log/run": script("exec cat"),
  "api/run": script("exec sleep 100002"),
  "off/run": script("exec sleep 100003"),
  "off/down": "",
  "broken/run": script("exit 7"),
  "deaf/run": script("trap : TERM; while true; do usleep 100000; done"),
} as const;

const treeArgv = {
  s6: ["/usr/bin/s6-svscan", "/services"],
  runit: ["/usr/bin/tini", "--", "/usr/bin/runsvdir", "-P", "/services"],
} as const;

async function servicesUnder(
  argv: readonly string[],
  files: Readonly<Record<string, string>> = services,
): Promise<TestContainer> {
  return containers.run({
    image: managersImage,
    argv,
    env: ["PATH=/usr/bin:/bin"],
    host: { Binds: [`${folderWith(files)}:/services`] },
  });
}

for (const kind of ["s6", "runit"] as const) {
  testWith(
    needs,
    `${kind} services are listed, restarted and stopped through their supervisors`,
    async () => {
      const shop = await servicesUnder(treeArgv[kind]);
      const manager = await managerOf(shop, kind, 6);
      const label = `${kind} in ${shop.name}`;
      // Until its first start a service is down and wants up, as one that has failed.
      const begun = ["api", "deaf", "web", "web/log"];
      const programs = await waitFor("all to be started, and the end of one", async () => {
        const now = await manager.list();
        const conditionOf = (name: string) => now.find((one) => one.name === name)?.condition;
        const isBegun = begun.every((name) => conditionOf(name) === "running");
        return isBegun && conditionOf("broken") === "failed" ? now : undefined;
      });
      expect(managersOf(shop, kind)).toHaveLength(1);
      expect(Object.fromEntries(programs.map((one) => [one.name, one.condition]))).toMatchObject({
        off: "stopped",
      });
      const web = programs.find((one) => one.name === "web");
      // The supervisor's child has the PID before it becomes the program.
      await waitFor(
        "web to be its program",
        () => readFileSync(`/proc/${web?.pid}/cmdline`, "utf8") === "sleep\x00100001\0",
      );
      const finder = createManagerFinders(parts).find((one) => one.kind === kind);
      const processes = processesOf(shop);
      const names = processes.map((process) =>
        finder?.nameOf(
          process,
          processes.find((one) => one.ref.pid === process.parentPid),
        ),
      );
      expect(names).toEqual(expect.arrayContaining(["web", "api", "deaf"]));

      const before = await pidsOf(manager);
      await manager.restart("web");
      await manager.restart("off");
      const after = await pidsOf(manager);
      const changed = Object.keys(after).filter((name) => name !== "broken" && before[name] !== after[name]);
      expect(changed.sort()).toEqual(["off", "web"]);
      expect([after.web, after.off]).toEqual([expect.any(Number), expect.any(Number)]);
      await manager.stop("off");
      await manager.stop("broken");
      expect(await programOf(manager, "off")).toMatchObject({
        state: "down",
        condition: "stopped",
        pid: null,
      });
      expect(await programOf(manager, "broken")).toMatchObject({ state: "down", condition: "stopped" });
      expect(await failureOf(manager.restart("nobody"))).toMatchObject({
        code: "not_found",
        message: expect.stringContaining(`${label} has no program "nobody"; it has `),
      });

      // What ignores TERM is killed after a while.
      await manager.restart("deaf");
      expect((await pidsOf(manager)).deaf).not.toBe(after.deaf);
    },
  );

  testWith(needs, `a supervisor of ${kind} that is frozen or gone is said to be so`, async () => {
    const shop = await servicesUnder(treeArgv[kind], { "web/run": services["web/run"] });
    const manager = await managerOf(shop, kind, 1);
    await programIn(manager, "web", "up");
    const supervisor = processesOf(shop).find((one) => ["s6-supervise", "runsv"].includes(one.name));
    process.kill(supervisor?.ref.pid ?? 0, "SIGSTOP");
    await waitFor("it to be stopped", () =>
      /\) T /.test(readFileSync(`/proc/${supervisor?.ref.pid}/stat`, "utf8")),
    );
    try {
      expect(await failureOf(manager.restart("web"))).toMatchObject({
        code: "unavailable",
        message: expect.stringContaining("it is stopped"),
      });
    } finally {
      process.kill(supervisor?.ref.pid ?? 0, "SIGCONT");
    }
    await containers.get(shop.id).kill();
    await waitFor("the end", () => !existsSync(`/proc/${supervisor?.ref.pid}`));
    expect(await manager.list()).toEqual([]);
  });
}

const unit = (command: string, more = ""): string =>
  `[Unit]\nDescription=one of the test's\n[Service]\nExecStart=${command}\n${more}\n[Install]\nWantedBy=multi-user.target\n`;

testWith(systemdNeeds, "systemd's services are listed, restarted and stopped", async () => {
  const folder = folderWith({
    "worker.service": unit("/bin/sleep 100001"),
    "other.service": unit("/bin/sleep 100002"),
    "at@.service": unit("/bin/sleep %i"),
    "broken.service": unit("/bin/sh -c 'exit 7'"),
  });
  const wants = path.join(folder, "multi-user.target.wants");
  mkdirSync(wants);
  for (const name of ["worker", "other", "at@100003", "broken"])
    symlinkSync(`../${name.replace(/@.*/, "@")}.service`, path.join(wants, `${name}.service`));
  symlinkSync("/lib/systemd/system/multi-user.target", path.join(folder, "default.target"));
  const shop = await containers.run({
    image: systemdImage,
    argv: ["/sbin/systemd"],
    env: ["container=docker"],
    host: { ...systemdHost, Binds: [...systemdHost.Binds, `${folder}:/etc/systemd/system`] },
  });
  const manager = await managerOf(shop, "systemd", 4);
  await programIn(manager, "broken.service", "failed (failed)");
  const programs = await manager.list();
  expect(programs.map((one) => [one.name, one.condition, one.remark])).toEqual([
    ["at@100003.service", "running", null],
    ["broken.service", "failed", "exit-code, exit status 7"],
    ["other.service", "running", null],
    ["worker.service", "running", null],
  ]);
  const finder = createManagerFinders(parts).find((one) => one.kind === "systemd");
  const processes = processesOf(shop);
  const init = processes.find((one) => one.ref.pid === shop.pid);
  const at = processes.find((one) => one.command?.[1] === "100003");
  expect(at && finder?.nameOf(at, init)).toBe("at@100003.service");
  expect(init && finder?.nameOf(init, undefined)).toBeUndefined();

  const before = await pidsOf(manager);
  await manager.restart("worker.service");
  await manager.restart("at@100003.service");
  const after = await pidsOf(manager);
  expect(Object.keys(before).filter((name) => before[name] !== after[name])).toEqual([
    "at@100003.service",
    "worker.service",
  ]);
  expect(readFileSync(`/proc/${after["worker.service"]}/cmdline`, "utf8")).toBe("/bin/sleep\x00100001\0");
  await manager.stop("worker.service");
  await manager.stop("worker.service");
  expect(await programOf(manager, "worker.service")).toMatchObject({ condition: "stopped", pid: null });

  const label = `systemd in ${shop.name}`;
  expect(await failureOf(manager.restart("broken.service"))).toEqual({
    code: "failed",
    message: `${label} was told to restart "broken.service", and it is failed (failed): exit-code, exit status 7`,
  });
  for (const name of ["nobody.service", "--now.service", "-h", "worker", "*.service", "a\nb.service"])
    expect(await failureOf(manager.restart(name))).toMatchObject({ code: "not_found" });
});
