import { expect } from "@jest/globals";
import type { ContainerRecord, ProcessList, ProcessRecord } from "../../agent/api.ts";
import { otherParent } from "../support/engine.ts";
import { staticImage } from "../support/images.ts";
import { testWith } from "../support/test-with.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

const { agent, containers } = useEngine();

/** The processes of a container, once each has become the program that it is to be. */
async function processesOf(name: string, programs: readonly string[]): Promise<readonly ProcessRecord[]> {
  const wanted = programs.toSorted().join(" ");
  return waitFor(`${wanted} in ${name}`, async () => {
    const { status, json } = await agent.get(`/api/v1/processes?selector=${name}`);
    const list: ProcessList | undefined = status === 200 ? json : undefined;
    const found = list?.processes.map((one) => one.program).sort();
    return found?.join(" ") === wanted ? list?.processes : undefined;
  });
}

const fatPrograms = ["httpd", "sh", "sleep"];

// dockerode's types do not have the field yet.
const privateView: object = { CgroupnsMode: "private" };

/** An init with two programs below it, each of another kind. */
const fat = ["sh", "-c", "sleep 100000 & httpd -f -p 8080 & wait"];

testWith(
  ["docker", "busybox"],
  "a container's processes are mapped by real PID, with PID inside and program",
  async () => {
    const web = await containers.run({ argv: fat });
    await processesOf(web.name, fatPrograms);
    // It bears its name before it has its command line and is at rest.
    const processes = await waitFor("httpd to be at rest", async () => {
      const found = await processesOf(web.name, fatPrograms);
      const httpd = found.find((one) => one.name === "httpd");
      return httpd?.state === "sleeping" && httpd.command?.length === 4 && found;
    });
    const init = processes.find((one) => one.pid === web.pid);
    expect(init).toMatchObject({ containerPid: 1, name: "sh", program: "sh" });
    const httpd = processes.find((one) => one.name === "httpd");
    expect(httpd).toMatchObject({
      parentPid: web.pid,
      command: ["httpd", "-f", "-p", "8080"],
      state: "sleeping",
      user: { id: 0, name: "root" },
      container: { id: web.id, name: web.name, runtime: "docker" },
    });
    expect(httpd?.containerPid).toBeGreaterThan(1);
    const byInside = await agent.get(`/api/v1/processes?selector=${web.name}:${httpd?.containerPid}`);
    expect(byInside.json.processes[0].pid).toBe(httpd?.pid);
  },
);

testWith(
  ["docker", "busybox"],
  "containers that share the host's PIDs or have their own cgroup view are mapped",
  async () => {
    const shared = await containers.run({ argv: fat, host: { PidMode: "host" } });
    const viewed = await containers.run({ argv: fat, host: privateView });
    for (const { name, pid } of [shared, viewed]) {
      const processes = await processesOf(name, fatPrograms);
      expect(processes.map((one) => one.pid)).toContain(pid);
    }
    const [any] = await processesOf(shared.name, fatPrograms);
    expect(any?.containerPid).toBeNull();
  },
);

testWith(["docker", "busybox"], "a container below another parent cgroup is mapped", async () => {
  const moved = await containers.run({ argv: fat, host: { CgroupParent: otherParent } });
  expect((await processesOf(moved.name, fatPrograms)).length).toBe(3);
});

testWith(["docker", "busybox"], "a container's user, and one without a shell, are shown", async () => {
  const own = await containers.run({ argv: ["sleep", "100000"], user: "1000:1000" });
  const bare = await containers.run({ argv: ["/sleep", "100000"], image: staticImage });
  expect((await processesOf(own.name, ["sleep"]))[0]?.user?.id).toBe(1000);
  expect((await processesOf(bare.name, ["sleep"]))[0]?.pid).toBe(bare.pid);
});

testWith(["docker", "busybox"], "a container has its state, its own figures and its programs", async () => {
  const web = await containers.run({ argv: fat, host: { Memory: 64 << 20, PidsLimit: 50, NanoCpus: 5e8 } });
  await processesOf(web.name, fatPrograms);
  const { json } = await agent.get(`/api/v1/containers/${web.name}`);
  const record: ContainerRecord = json;
  expect(record).toMatchObject({ state: "running", known: true, initPid: web.pid, processes: 3, zombies: 0 });
  expect(record.resources).toMatchObject({
    memoryLimitBytes: 64 << 20,
    pids: 3,
    pidsLimit: 50,
    cpuLimitCores: 0.5,
  });
  expect(record.resources?.memoryBytes).toBeGreaterThan(0);
  expect(record.resources?.cpuSecondsTotal).toBeGreaterThan(0);
  await containers.get(web.id).pause();
  await waitFor(
    "the pause",
    async () => (await agent.get(`/api/v1/containers/${web.name}`)).json.state === "paused",
  );
  await containers.get(web.id).unpause();
});

testWith(["docker", "busybox"], "the command line lists containers and their processes", async () => {
  const web = await containers.run({ argv: fat });
  await processesOf(web.name, fatPrograms);
  const ps = await agent.cli("ps", `${web.name}/httpd`);
  expect(ps.code).toBe(0);
  expect(ps.stdout.trim().split("\n")).toHaveLength(2);
  expect(ps.stdout).toContain("httpd -f -p 8080");
  const list = await agent.cli("containers");
  expect(list.stdout).toMatch(new RegExp(`${web.name} .*running .*httpd sh sleep`));
  const status = await agent.cli("status", web.name);
  expect(status.stdout).toContain(web.id);
  const json = await agent.cli("ps", web.name, "--json", "--sort", "rss", "--limit", "2");
  expect(JSON.parse(json.stdout)).toMatchObject({ total: 3, processes: [{}, {}] });
});
