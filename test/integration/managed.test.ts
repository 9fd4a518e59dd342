import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect } from "@jest/globals";
import type { ContainerRecord, ManagedRecord, ProcessRecord, RestartAnswer } from "../../agent/api.ts";
import type { TestContainer } from "../support/containers.ts";
import { makeManagersImage, managersImage, supervisordHead } from "../support/manager-images.ts";
import { hasParts } from "../support/parts.ts";
import { testWith } from "../support/test-with.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

const { agent, containers } = useEngine();
const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-managed-"));
const needs = ["docker", "busybox", "supervisor", "s6", "runit", "tini"] as const;
beforeAll(async () => {
  if (hasParts(...needs)) await makeManagersImage(containers.docker);
}, 120_000);
afterAll(() => rmSync(scratch, { recursive: true }));

let folders = 0;
function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = path.join(scratch, String(folders++));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text, { mode: 0o755 });
  }
  return folder;
}

const config = `${supervisordHead}[program:web]
command=/bin/sh -c 'sleep 100001; true'
startsecs=0
[program:api]
command=/bin/sleep 100002
startsecs=0
[program:off]
command=/bin/sleep 100003
autostart=false
startsecs=0
[program:broken]
command=/bin/sh -c 'exit 7'
startsecs=1
startretries=0
`;

/** A container in which tini starts supervisord, as many images have it. */
function supervised(): Promise<TestContainer> {
  const folder = folderWith({ "supervisord.conf": config });
  return containers.run({
    image: managersImage,
    argv: [
      "/usr/bin/tini",
      "--",
      "/usr/bin/python3",
      "/usr/bin/supervisord",
      "-c",
      "/etc/supervisor/supervisord.conf",
    ],
    env: ["PATH=/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1"],
    host: { Binds: [`${folder}:/etc/supervisor`] },
  });
}

async function managedIn(name: string): Promise<readonly ManagedRecord[]> {
  const { json } = await agent.get(`/api/v1/containers/${name}`);
  // Not found until the engine has told of it.
  return (json as Partial<ContainerRecord>).managed ?? [];
}

async function programIn(name: string, program: string, state: string): Promise<ManagedRecord> {
  return waitFor(`${program} to be ${state}`, async () =>
    (await managedIn(name)).find((one) => one.program === program && one.state === state),
  );
}

async function processes(name: string): Promise<readonly ProcessRecord[]> {
  return (await agent.get(`/api/v1/processes?container=${name}`)).json.processes ?? [];
}

testWith(
  needs,
  "programs bear the names of supervisord, with its states, those without a process too",
  async () => {
    const { name } = await supervised();
    await programIn(name, "broken", "FATAL");
    await programIn(name, "web", "RUNNING");
    const own = await waitFor("the names", async () => {
      const list = await processes(name);
      return list.some(({ program }) => program === "web") && list;
    });
    // The shell and what it started.
    expect(own.filter(({ program }) => program === "web").map((one) => one.name)).toEqual(["sh", "sleep"]);
    const ps = await agent.cli("ps", name);
    expect(ps.stdout).toMatch(new RegExp(`${name}  broken   supervisord  FATAL +-  Exited too quickly`));
    expect(ps.stdout).toMatch(new RegExp(`${name}  off      supervisord  STOPPED`));
    const shell = own.find((one) => one.name === "sh");
    const status = await agent.cli("status", String(shell?.pid));
    expect(status.stdout).toContain("supervisord: web is RUNNING");
    expect(status.stdout).toContain(`supervisord in ${name}: stop and start program "web"`);
    expect(await agent.cli("status", `${name}/broken`)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("FATAL"),
    });
  },
);

testWith(
  needs,
  "a restart goes through supervisord: the program is new, its neighbours are as they were",
  async () => {
    const { name } = await supervised();
    await programIn(name, "web", "RUNNING");
    const refs = async (program: string) =>
      (await processes(name)).filter((one) => one.program === program).map((one) => one.ref);
    const before = await waitFor("the names", async () => {
      const found = { web: await refs("web"), api: await refs("api") };
      return found.web.length === 2 && found.api.length === 1 && found;
    });
    const dry = await agent.cli("restart", `${name}/web`, "--dry-run");
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining("driver supervisord") });
    expect(await refs("web")).toEqual(before.web);
    const { json } = await agent.post("/api/v1/restart", { selector: `${name}/web`, settleSeconds: 1 });
    const answer = json as RestartAnswer;
    expect(answer).toMatchObject({ driver: "supervisord", old: [before.web[0]] });
    const after = await waitFor("the new names", async () => {
      const found = await refs("web");
      return found.length === 2 && found[0] === answer.new[0] && found;
    });
    expect(after).not.toContain(before.web[0]);
    expect(await refs("api")).toEqual(before.api);
  },
);

testWith(
  needs,
  "a worker's restart is its program's, and a program without a process can be started",
  async () => {
    const { name } = await supervised();
    await programIn(name, "off", "STOPPED");
    await programIn(name, "web", "RUNNING");
    const worker = await waitFor("the worker", async () =>
      (await processes(name)).find((one) => one.name === "sleep" && one.program === "web"),
    );
    const plan = await agent.cli("restart", worker.ref, "--dry-run");
    expect(plan.stdout).toContain('stop and start program "web"');
    const started = await agent.cli("restart", `${name}/off`, "--settle=1s");
    expect(started).toMatchObject({ code: 0, stdout: expect.stringContaining("(driver supervisord)") });
    await programIn(name, "off", "RUNNING");
    expect(await agent.cli("restart", `${name}/nobody`)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(`${name}/broken`),
    });
    const broken = await agent.cli("restart", `${name}/broken`);
    expect(broken.code).toBe(6);
    expect(broken.stderr).toContain("running in");
  },
);

testWith(needs, "what supervisord is asked to stop stays down", async () => {
  const { name } = await supervised();
  await programIn(name, "api", "RUNNING");
  await waitFor("its process", async () => (await processes(name)).some((one) => one.program === "api"));
  const killed = await agent.cli("kill", `${name}/api`, "--stop");
  expect(killed).toMatchObject({ code: 0, stdout: expect.stringContaining("supervisord (") });
  await programIn(name, "api", "STOPPED");
});

testWith(
  needs,
  "each program can be restarted in turn, which is another plan than the container's restart",
  async () => {
    const { name } = await supervised();
    await programIn(name, "api", "RUNNING");
    // One that cannot come up would end the series.
    await programIn(name, "broken", "FATAL");
    const whole = await agent.cli("restart", name, "--dry-run");
    expect(whole.stdout).toContain(`stop and start container ${name}`);
    const each = await agent.cli("restart", `${name}/*`, "--dry-run");
    expect(each.stdout).toContain(`each program of ${name} in turn, the container stays up: (1) supervisord`);
    const before = await processes(name);
    const { stderr } = await agent.cli("restart", `${name}/*`, "--settle=1s");
    expect(stderr).toContain(`restarted before: ${name}/api`);
    const init = (list: readonly ProcessRecord[]) => list.find((one) => one.containerPid === 1)?.ref;
    expect(init(await processes(name))).toBe(init(before));
  },
);

testWith(needs, "a frozen supervisord is said to be, and nothing is started beside it", async () => {
  const { name } = await supervised();
  await programIn(name, "api", "RUNNING");
  const supervisord = (await processes(name)).find(({ command }) => command?.[1] === "/usr/bin/supervisord");
  if (supervisord === undefined) throw new Error("no supervisord");
  process.kill(supervisord.pid, "SIGSTOP");
  try {
    const { code, stderr } = await agent.cli("restart", `${name}/api`);
    expect(code).toBe(6);
    expect(stderr).toContain("does not answer");
    await programIn(name, "supervisord", "no answer");
  } finally {
    process.kill(supervisord.pid, "SIGCONT");
  }
  await programIn(name, "api", "RUNNING");
});

const service = "#!/bin/sh\nexec /bin/sleep 200001\n";

for (const [kind, argv] of [
  ["s6", ["/usr/bin/s6-svscan", "/services"]],
  ["runit", ["/usr/bin/runsvdir", "/services"]],
] as const) {
  testWith(needs, `a service of ${kind} bears its name and is restarted by it`, async () => {
    const folder = folderWith({ "web/run": service, "api/run": service });
    const { name } = await containers.run({
      image: managersImage,
      argv: [...argv],
      env: ["PATH=/usr/bin:/bin"],
      host: { Binds: [`${folder}:/services`] },
    });
    const find = async (program: string) =>
      (await processes(name)).find((one) => one.name === "sleep" && one.program === program);
    const [web, api] = [await waitFor("web", () => find("web")), await waitFor("api", () => find("api"))];
    const restarted = await agent.cli("restart", `${name}/web`, "--settle=1s");
    expect(restarted).toMatchObject({ code: 0, stdout: expect.stringContaining(`(driver ${kind})`) });
    const fresh = await waitFor("the new one", async () => {
      const now = await find("web");
      return now?.ref !== web.ref && now;
    });
    expect(restarted.stdout).toContain(fresh.ref);
    expect((await find("api"))?.ref).toBe(api.ref);
    expect((await managedIn(name)).map((one) => [one.program, one.manager])).toEqual([
      ["api", kind],
      ["web", kind],
    ]);
  });
}
