import { existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { expect } from "@jest/globals";
import type { ProcessRecord, RestartAnswer } from "../../agent/api.ts";
import type { TestContainer } from "../support/containers.ts";
import { argvOf, catchesSignal, isAlive } from "../support/host-process.ts";
import { staticImage } from "../support/images.ts";
import { withProcess } from "../support/programs.ts";
import { testWith } from "../support/test-with.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

const { agent, containers } = useEngine();

/** Moves a process of this test into the cgroups of another, in every hierarchy. */
function moveBeside(pid: number, other: number): void {
  for (const line of readFileSync(`/proc/${other}/cgroup`, "utf8").trim().split("\n")) {
    const [, controllers = "", path = ""] = line.split(/:(.*?):/s);
    if (path === "/") continue;
    const unified = existsSync("/sys/fs/cgroup/unified") ? "unified" : "";
    const hierarchy = controllers === "" ? unified : controllers.replace(/^name=/, "");
    writeFileSync(`/sys/fs/cgroup/${hierarchy}${path}/cgroup.procs`, String(pid));
  }
}

const needs = ["docker", "busybox"] as const;

/** An init that reaps and outlives its children. */
const lasting = (...programs: readonly string[]): readonly string[] => [
  "sh",
  "-c",
  `${programs.map((program) => `${program} & `).join("")}while true; do sleep 1; wait; done`,
];

/** The process of a program, once it is there. */
async function processOf(container: TestContainer, program: string): Promise<ProcessRecord> {
  return waitFor(`${program} in ${container.name}`, async () => {
    const { status, json } = await agent.get(`/api/v1/processes?selector=${container.name}/${program}`);
    return status === 200 ? json.processes[0] : undefined;
  });
}

/**
 * The shell that runs a script, once it has come to its trap. Its arguments are the kernel's word: an agent may keep for a
 * while what a shell was before it became another shell; and between fork and exec a child is still what its parent is.
 */
async function shellOf(selector: string, script: string, signal: "HUP" | "TERM"): Promise<ProcessRecord> {
  const runs = (pid: number): boolean => argvOf(pid)[2] === script;
  return waitFor(`the shell in ${selector}`, async () => {
    const { status, json } = await agent.get(`/api/v1/processes?selector=${selector}`);
    const all: readonly ProcessRecord[] = status === 200 ? json.processes : [];
    return all.find(({ pid, parentPid }) => runs(pid) && !runs(parentPid) && catchesSignal(pid, signal));
  });
}

testWith(needs, "a program is killed by TERM, and a dry run kills nothing", async () => {
  const web = await containers.run({ argv: lasting("httpd -f -p 8080") });
  const { pid, ref } = await processOf(web, "httpd");
  const dry = await agent.cli("kill", `${web.name}/httpd`, "--dry-run");
  expect(dry).toMatchObject({ code: 0, stdout: `${ref} httpd: would get SIGTERM\n` });
  expect(isAlive(pid)).toBe(true);
  expect(agent.audit()).toEqual([]);
  const killed = await agent.cli("kill", `${web.name}/httpd`, "--wait");
  expect(killed).toMatchObject({ code: 0, stdout: `${ref} httpd: exited after SIGTERM\n` });
  expect(isAlive(pid)).toBe(false);
  const records = agent.audit();
  expect(records.map((record) => record.phase)).toEqual(["intent", "outcome"]);
  expect(records[0]).toMatchObject({ refs: [ref], container: web.id, how: "SIGTERM", actor: { uid: 0 } });
  expect(records[1]).toMatchObject({ id: records[0]?.id, outcome: "done" });
});

testWith(
  needs,
  "a process that ignores TERM is killed after the grace; another life of the PID is not touched",
  async () => {
    const script = "trap : TERM; while true; do usleep 100000; done";
    const web = await containers.run({ argv: lasting(`sh -c '${script}'`) });
    const loop = await shellOf(web.name, script, "TERM");
    const stale = await agent.post("/api/v1/signal", {
      selector: `${loop.pid}@${loop.startTicks - 1}`,
      signal: "KILL",
    });
    expect(stale).toMatchObject({ status: 412, json: { code: "stale_ref" } });
    expect(isAlive(loop.pid)).toBe(true);
    const answer = await agent.post("/api/v1/signal", { selector: loop.ref, graceSeconds: 0.5 });
    expect(answer.json).toMatchObject({ targets: [{ ref: loop.ref, outcome: "killed" }] });
    expect(isAlive(loop.pid)).toBe(false);
  },
);

testWith(needs, "a tree is killed with all below it in the container", async () => {
  const web = await containers.run({ argv: lasting("setsid sh -c 'sleep 90001 & sleep 90002 & wait'") });
  const sleeps = await waitFor("the tree", async () => {
    const { json } = await agent.get(`/api/v1/processes?container=${web.name}&name=sleep`);
    const found = json.processes?.filter((one: ProcessRecord) => one.command?.[1]?.startsWith("9000"));
    return found?.length === 2 ? found : undefined;
  });
  const tops = await agent.get(`/api/v1/processes/${sleeps[0].parentPid}`);
  const killed = await agent.cli("kill", tops.json.ref, "--tree", "--grace", "5s");
  expect(killed.code).toBe(0);
  expect(killed.stdout.trim().split("\n")).toHaveLength(3);
  expect(sleeps.map((one: ProcessRecord) => isAlive(one.pid))).toEqual([false, false]);
});

testWith(needs, "HUP is sent and the process lives on", async () => {
  const script = "trap : HUP; while true; do usleep 100000; done";
  const web = await containers.run({ argv: lasting(`sh -c '${script}'`) });
  const loop = await shellOf(web.name, script, "HUP");
  const sent = await agent.cli("kill", loop.ref, "--signal", "HUP");
  expect(sent).toMatchObject({ code: 0, stdout: `${loop.ref} sh: SIGHUP sent\n` });
  expect(isAlive(loop.pid)).toBe(true);
});

testWith(needs, "a program is respawned with argv, environment, folder, user and groups", async () => {
  const argv = lasting("env SECRET=x=y httpd -f -p 8080 -h /srv");
  const web = await containers.run({ argv, user: "app", workdir: "/srv" });
  const old = await processOf(web, "httpd");
  const status = readFileSync(`/proc/${old.pid}/status`, "utf8");
  expect(status).toMatch(/^Groups:\t.*2000/m);
  const environ = readFileSync(`/proc/${old.pid}/environ`, "utf8");

  const dry = await agent.cli("restart", `${web.name}/httpd`, "--dry-run");
  expect(dry.stdout).toContain("respawn in");
  expect(isAlive(old.pid)).toBe(true);

  const { status: code, json } = await agent.post("/api/v1/restart", {
    selector: `${web.name}/httpd`,
    settleSeconds: 0.5,
  });
  const answer: RestartAnswer = json;
  expect({ code, answer }).toMatchObject({
    code: 200,
    answer: { driver: "respawn", old: [old.ref], dryRun: false },
  });
  expect(isAlive(old.pid)).toBe(false);
  const [fresh = ""] = answer.new;
  const pid = Number(fresh.split("@")[0]);
  const groups = (text: string): string => /^(Uid|Gid|Groups):.*$/gm[Symbol.match](text)?.join("\n") ?? "";
  expect(groups(readFileSync(`/proc/${pid}/status`, "utf8"))).toBe(groups(status));
  expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toBe(
    ["httpd", "-f", "-p", "8080", "-h", "/srv", ""].join("\0"),
  );
  const sorted = (text: string): readonly string[] =>
    text
      .split("\0")
      .filter((one) => !/^(PWD|SHLVL|_|$)/.test(one))
      .sort();
  expect(sorted(readFileSync(`/proc/${pid}/environ`, "utf8"))).toEqual(sorted(environ));
  expect(readlinkSync(`/proc/${pid}/cwd`)).toBe(readlinkSync(`/proc/${web.pid}/cwd`));
  expect(readlinkSync(`/proc/${pid}/ns/mnt`)).toBe(readlinkSync(`/proc/${web.pid}/ns/mnt`));
  await waitFor("it to be the program", async () => (await processOf(web, "httpd")).ref === fresh);
});

testWith(needs, "the plan of a respawn tells what of this process it cannot carry over", async () => {
  const worn =
    "ulimit -n 100; echo 300 > /proc/self/oom_score_adj; renice -n 5 $$; exec httpd -f -p 8080 > /tmp/log";
  const web = await containers.run({
    argv: lasting(`sh -c '${worn}'`, "tail -f /dev/null"),
    host: { Ulimits: [{ Name: "nofile", Soft: 256, Hard: 512 }] },
  });
  const httpd = await processOf(web, "httpd");
  const tail = await processOf(web, "tail");
  const notes = async (ref: string): Promise<readonly string[]> => {
    const { json } = await agent.post("/api/v1/restart", { selector: ref, dryRun: true });
    return json.warnings.flatMap((one: string) => (one.startsWith(ref) ? [one.slice(ref.length)] : []));
  };
  expect(await notes(httpd.ref)).toEqual([
    " (httpd): loses its limits (soft/hard): Max open files 100/100, the init has 256/512",
    " (httpd): loses its nice value 5",
    " (httpd): loses its oom_score_adj 300; the container's init has 0",
    ' (httpd): loses its stdout: the file "/tmp/log"',
    " (httpd): loses its stderr: the container's log",
  ]);
  expect(await notes(tail.ref)).toEqual([" (tail): loses its stdout and stderr: the container's log"]);
  const { json } = await agent.post("/api/v1/restart", { selector: tail.ref, settleSeconds: 0.3 });
  // It has lost the log; whose pipe the engine has given it instead is the engine's.
  expect((await notes(json.new[0])).join()).not.toContain("log");
});

testWith(needs, "a program of a container that shares the host's PIDs is restarted and killed", async () => {
  const web = await containers.run({ argv: lasting("httpd -f -p 8080"), host: { PidMode: "host" } });
  const old = await processOf(web, "httpd");
  expect(old.containerPid).toBeNull();
  const { json } = await agent.post("/api/v1/restart", { selector: `${web.name}/httpd`, settleSeconds: 0.3 });
  expect(json).toMatchObject({ driver: "respawn", old: [old.ref] });
  const killed = await agent.cli("kill", json.new[0], "--grace", "5s");
  expect(killed).toMatchObject({ code: 0, stdout: `${json.new[0]} httpd: exited after SIGTERM\n` });
});

testWith(needs, "a program in a container without a shell is respawned", async () => {
  const bare = await containers.run({ argv: ["/sleep", "100001"], image: staticImage });
  await containers.exec(bare.id, ["/sleep", "100002"]);
  const second = await waitFor("the second", async () => {
    const { json } = await agent.get(`/api/v1/processes?container=${bare.name}`);
    return json.processes?.find(({ command }: ProcessRecord) => command?.[1] === "100002");
  });
  const { json } = await agent.post("/api/v1/restart", { selector: second.ref, settleSeconds: 0.3 });
  expect(json).toMatchObject({ driver: "respawn", old: [second.ref] });
  expect(isAlive(second.pid)).toBe(false);
});

testWith(needs, "a label's start command restarts its program, and starts it when none runs", async () => {
  const labels = {
    "pidward.program.httpd.start": "httpd -f -p 9090",
    "pidward.program.late.start": "sleep 424242",
  };
  const web = await containers.run({ argv: lasting("httpd -f -p 8080"), labels });
  await processOf(web, "httpd");
  const restarted = await agent.post("/api/v1/restart", {
    selector: `${web.name}/httpd`,
    settleSeconds: 0.3,
  });
  expect(restarted.json).toMatchObject({ driver: "label" });
  await waitFor(
    "the label's command",
    async () => (await processOf(web, "httpd")).command?.join(" ") === "httpd -f -p 9090",
  );
  const late = await agent.post("/api/v1/restart", { selector: `${web.name}/late`, settleSeconds: 0.3 });
  expect(late.json).toMatchObject({ driver: "label", old: [] });
  expect(late.json.new).toHaveLength(1);
});

/** A loop that is deaf to TERM and ends when there is a file. */
const deaf = "rm -f /tmp/over; trap : TERM; while [ ! -e /tmp/over ]; do usleep 50000; done";
const loopLabels = {
  "pidward.program.loop.match": "sh -c rm -f /tmp/over*",
  "pidward.program.loop.start": `sh -c '${deaf}'`,
  "pidward.program.loop.stop": "touch /tmp/over",
};

testWith(needs, "a label's stop command stops its program where TERM would not", async () => {
  const web = await containers.run({ argv: lasting(`sh -c '${deaf}'`), labels: loopLabels });
  const loop = await shellOf(`${web.name}/loop`, deaf, "TERM");
  const dry = await agent.cli("restart", `${web.name}/loop`, "--dry-run");
  expect(dry.stdout).toContain(`stop it by ["touch","/tmp/over"] and run ["sh","-c","rm`);
  expect(isAlive(loop.pid)).toBe(true);
  const { json } = await agent.post("/api/v1/restart", { selector: loop.ref, settleSeconds: 0.3 });
  expect(json).toMatchObject({
    driver: "label",
    old: [loop.ref],
    warnings: [expect.stringContaining("output")],
  });
  expect(isAlive(loop.pid)).toBe(false);
  const { ref: fresh } = await shellOf(`${web.name}/loop`, deaf, "TERM");
  expect(json.new).toEqual([fresh]);
  const name = "label pidward.program.loop.stop";
  const asked = await agent.cli("kill", fresh, "--stop", "--dry-run");
  expect(asked).toMatchObject({ code: 0, stdout: `${fresh} sh: would be stopped by ${name}\n` });
  const stopped = await agent.cli("kill", fresh, "--stop");
  expect(stopped).toMatchObject({ code: 0, stdout: `${fresh} sh: stopped by ${name}\n` });
  expect(agent.audit().at(-1)).toMatchObject({ how: `stop by ${name}`, outcome: "done", message: null });
});

testWith(needs, "a stop command that fails is told, and what one leaves is killed", async () => {
  const labels = {
    ...loopLabels,
    "pidward.program.loop.stop": "sh -c 'touch /tmp/over; echo no >&2; exit 3'",
    "pidward.program.tail.stop": "true",
  };
  const web = await containers.run({ argv: lasting(`sh -c '${deaf}'`, "tail -f /dev/null"), labels });
  const loop = await shellOf(`${web.name}/loop`, deaf, "TERM");
  const tail = await processOf(web, "tail");
  const failed = await agent.cli("kill", loop.ref, "--stop", "--grace", "50s");
  const note = 'the command of label pidward.program.loop.stop exited with code 3: "no"';
  expect(failed).toMatchObject({ code: 0, stdout: expect.stringContaining(`note: ${note}\n`) });
  expect(failed.stdout).toContain(`${loop.ref} sh: stopped by label`);
  expect(agent.audit().at(-1)).toMatchObject({ outcome: "done", message: note });
  const killed = await agent.cli("kill", tail.ref, "--stop", "--grace", "500ms");
  expect(killed).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("killed, not ended within 0.5 s"),
  });
  expect([loop, tail].map(({ pid }) => isAlive(pid))).toEqual([false, false]);
});

testWith(needs, "a start command that ends at once is a failure that says what runs now", async () => {
  const labels = { "pidward.program.httpd.start": "sh -c 'exit 3'" };
  const web = await containers.run({ argv: lasting("httpd -f -p 8080"), labels });
  await processOf(web, "httpd");
  const failed = await agent.cli("restart", `${web.name}/httpd`, "--settle", "300ms");
  expect(failed.code).toBe(6);
  expect(failed.stderr).toMatch(/exited with code 3; running in .* now: /);
  expect(agent.audit().at(-1)).toMatchObject({ outcome: "failed" });
});

testWith(needs, "a container is restarted by name and by its init", async () => {
  const web = await containers.run({
    argv: ["sh", "-c", "trap 'exit 0' TERM; while true; do usleep 100000; done"],
  });
  await processOf(web, "sh");
  const byName = await agent.cli("restart", web.name, "--settle", "300ms");
  expect(byName).toMatchObject({ code: 0, stdout: expect.stringContaining("driver container") });
  const init = (await containers.get(web.id).inspect()).State.Pid;
  expect(init).not.toBe(web.pid);
  const byInit = await agent.post("/api/v1/restart", { selector: String(init), settleSeconds: 0.3 });
  expect(byInit.json).toMatchObject({ driver: "container" });
});

testWith(needs, "a paused container is not restarted, and says why", async () => {
  const web = await containers.run({ argv: lasting("httpd -f -p 8080") });
  await processOf(web, "httpd");
  await containers.get(web.id).pause();
  await waitFor(
    "the pause",
    async () => (await agent.get(`/api/v1/containers/${web.name}`)).json.state === "paused",
  );
  const refused = await agent.cli("restart", `${web.name}/httpd`);
  expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining("paused") });
  await containers.get(web.id).unpause();
});

testWith(needs, "a container that is removed in the middle of a restart is told so", async () => {
  const web = await containers.run({ argv: lasting("httpd -f -p 8080") });
  const old = await processOf(web, "httpd");
  const restarting = agent.post("/api/v1/restart", { selector: `${web.name}/httpd`, settleSeconds: 20 });
  await waitFor("the stop", () => !isAlive(old.pid));
  const second = await agent.post("/api/v1/restart", { selector: `${web.name}/httpd` });
  expect([404, 409]).toContain(second.status);
  await containers.get(web.id).remove({ force: true });
  const answer = await restarting;
  expect(answer).toMatchObject({ status: 502, json: { code: "failed", running: [] } });
  expect((await agent.get("/healthz")).status).toBe(200);
});

testWith(
  needs,
  "two programs of a container are restarted side by side; the same one, and all, are busy",
  async () => {
    const web = await containers.run({ argv: lasting("httpd -f -p 8080", "tail -f /dev/null") });
    const httpd = await processOf(web, "httpd");
    const tail = await processOf(web, "tail");
    // Until the end of this test, which does not wait for it.
    const first = agent.post("/api/v1/restart", { selector: `${web.name}/httpd`, settleSeconds: 300 });
    await waitFor("the stop", () => !isAlive(httpd.pid));
    const fresh = await waitFor("the new one", async () => {
      const { status, json } = await agent.get(`/api/v1/processes?selector=${web.name}/httpd`);
      return status === 200 && json.processes[0]?.ref !== httpd.ref ? json.processes[0] : undefined;
    });
    for (const selector of [`${web.name}/httpd`, fresh.ref, String(fresh.pid), web.name, String(web.pid)])
      expect((await agent.post("/api/v1/restart", { selector })).json).toMatchObject({
        code: "busy",
        detail: expect.stringContaining(`of ${web.name}/httpd`),
      });
    const outlook = async (pid: number) => (await agent.get(`/api/v1/processes/${pid}`)).json.restart;
    expect(await outlook(fresh.pid)).toMatchObject({
      driver: null,
      plan: expect.stringContaining("under way"),
    });
    expect(await outlook(tail.pid)).toMatchObject({ driver: "respawn" });
    const second = await agent.post("/api/v1/restart", { selector: `${web.name}/tail`, settleSeconds: 0.3 });
    expect(second).toMatchObject({ status: 200, json: { old: [tail.ref] } });
    // Its new process ends before it has settled.
    await containers.get(web.id).kill();
    expect(await first).toMatchObject({ status: 502, json: { code: "failed" } });
  },
);

testWith(
  needs,
  "host processes are refused, and a process that was moved into a container's cgroup too",
  async () => {
    const web = await containers.run({ argv: lasting("httpd -f -p 8080") });
    const httpd = await processOf(web, "httpd");
    await withProcess(["sleep", "100000"], async (pid) => {
      const host = await waitFor("the child", async () => {
        const answer = await agent.post("/api/v1/signal", { selector: String(pid) });
        return answer.status === 404 ? undefined : answer;
      });
      expect(host).toMatchObject({ status: 403, json: { code: "refused" } });
      moveBeside(pid, httpd.pid);
      const moved = async (): Promise<boolean> => {
        const { json } = await agent.get(`/api/v1/processes/${pid}`);
        return json.container?.name === web.name;
      };
      await waitFor("the move to be seen", moved, 40_000);
      const stranger = await agent.post("/api/v1/signal", { selector: String(pid), signal: "KILL" });
      expect(stranger.json).toMatchObject({
        status: 403,
        detail: expect.stringContaining("none of its namespaces"),
      });
      expect(isAlive(pid)).toBe(true);
    });
  },
  90_000,
);
