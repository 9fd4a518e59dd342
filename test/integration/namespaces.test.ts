import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { afterAll, beforeAll, expect } from "@jest/globals";
import type { ProcessRecord } from "../../agent/api.ts";
import { TestAgent } from "../support/agent.ts";
import { type TestContainer, type TestContainerOptions, TestContainers } from "../support/containers.ts";
import { startEngine } from "../support/engine.ts";
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
  await agent.start({ engine: shared, args: ["--scan.interval=200ms", allowed] });
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
): Promise<ProcessRecord> {
  return waitFor(`${program} in ${container.name}`, async () => {
    const { status, json } = await of.get(`/api/v1/processes?selector=${container.name}/${program}`);
    return status === 200 ? json.processes[0] : undefined;
  });
}

const isAlive = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));

/** What of a process is not to change by a restart. */
function traits(pid: number): Readonly<Record<string, unknown>> {
  const read = (name: string): string => readFileSync(`/proc/${pid}/${name}`, "utf8");
  const kept =
    /^(Umask|Uid|Gid|Groups|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp|Seccomp_filters):\s*(.*)$/gm;
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
    "nice -n 5 httpd -f -p 8080",
  ],
  [
    "the host's PIDs, network and cgroups and no seccomp filter",
    { host: { PidMode: "host", CgroupnsMode: "private", IpcMode: "host", SecurityOpt: ["seccomp=unconfined"] } },
    "sh -c 'umask 027; ulimit -c 0; exec httpd -f -p 8080'",
  ],
];

for (const [title, options, program] of cases) {
  testWith(needs, `the like of a process is started through namespaces: ${title}`, async () => {
    const web = await containers.run({ argv: lasting(program, "sleep 7777"), ...options });
    const old = await processOf(web, "httpd");
    const sleeper = await processOf(web, "sleep");
    const before = traits(old.pid);

    const { status, json } = await restart(`${web.name}/httpd`, agent, "namespaces");
    expect({ status, json }).toMatchObject({ status: 200, json: { driver: "namespaces", old: [old.ref] } });
    const pid = pidOf(json.new[0]);
    expect(isAlive(old.pid)).toBe(false);
    expect(traits(pid)).toEqual(before);
    expect(isAlive(sleeper.pid)).toBe(true);
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    expect(stat[3]).toBe(String(pid));
    expect(readdirSync(`/proc/${pid}/fd`).slice(0, 3)).toEqual(["0", "1", "2"]);
    expect(readlinkSync(`/proc/${pid}/fd/1`)).toBe("/dev/null");
    // The helper is gone, and the new process is known as the program.
    expect((await processOf(web, "httpd")).ref).toBe(json.new[0]);
    const { json: all } = await agent.get(`/api/v1/processes?container=${web.name}`);
    expect(all.processes.map((one: ProcessRecord) => one.name)).not.toContain("node");
  });
}

testWith(needs, "a program in a container without a shell is started through namespaces", async () => {
  const bare = await containers.run({ argv: ["/sleep", "100001"], image: staticImage });
  await containers.exec(bare.id, ["/sleep", "100002"]);
  const second: ProcessRecord = await waitFor("the second", async () => {
    const { json } = await agent.get(`/api/v1/processes?container=${bare.name}`);
    return json.processes?.find((one: ProcessRecord) => one.pid !== bare.pid);
  });
  const before = traits(second.pid);
  const { json } = await restart(second.ref, agent, "namespaces");
  expect(json).toMatchObject({ driver: "namespaces", old: [second.ref] });
  expect(isAlive(second.pid)).toBe(false);
  expect(traits(pidOf(json.new[0]))).toEqual(before);
});
