import { existsSync } from "node:fs";
import { expect } from "@jest/globals";
import type { ProcessRecord, SignalAnswer } from "../../agent/api.ts";
import { TestAgent } from "../support/agent.ts";
import type { TestContainer } from "../support/containers.ts";
import { argvOf, catchesSignal, isAlive } from "../support/host-process.ts";
import { testWith } from "../support/test-with.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

const { agent, containers } = useEngine();

const needs = ["docker", "busybox"] as const;

/** An init that reaps and outlives its children. */
const lasting = (...programs: readonly string[]): readonly string[] => [
  "sh",
  "-c",
  `${programs.map((program) => `${program} & `).join("")}while true; do sleep 1; wait; done`,
];

/** So many processes whose arguments begin so, once they are there. */
async function having(container: TestContainer, count: number, ...argv: readonly string[]) {
  return waitFor(`${count} × ${argv.join(" ")}`, async () => {
    const { status, json } = await agent.get(`/api/v1/processes?selector=${container.name}`);
    const all: readonly ProcessRecord[] = status === 200 ? json.processes : [];
    const found = all.filter(({ pid }) => argv.every((arg, index) => argvOf(pid)[index] === arg));
    return found.length === count ? found : undefined;
  });
}

async function only(container: TestContainer, ...argv: readonly string[]): Promise<ProcessRecord> {
  const [one] = await having(container, 1, ...argv);
  if (one === undefined) throw new Error("it is gone");
  return one;
}

/** A shell that has come to its trap: before it, TERM just ends it, or does nothing to an init. */
async function trapping(container: TestContainer, ...argv: readonly string[]): Promise<ProcessRecord> {
  const shell = await only(container, ...argv);
  await waitFor(`the trap of ${shell.ref}`, () => catchesSignal(shell.pid, "TERM"));
  return shell;
}

testWith(needs, "a program of several processes is ambiguous until all are asked for", async () => {
  const web = await containers.run({
    argv: lasting(...Array.from({ length: 4 }, () => "tail -f /dev/null")),
  });
  const tails = await having(web, 4, "tail");
  const refused = await agent.cli("kill", `${web.name}/tail`);
  expect(refused).toMatchObject({ code: 2, stdout: "" });
  expect(refused.stderr.split("\n").slice(1, 5).sort()).toEqual(
    tails.map(({ ref }) => `  ${ref} (tail)`).sort(),
  );
  const answer = await agent.post("/api/v1/signal", {
    selector: `${web.name}/tail`,
    tree: true,
    dryRun: true,
  });
  expect(answer).toMatchObject({ status: 409, json: { code: "ambiguous" } });
  expect(tails.every(({ pid }) => isAlive(pid))).toBe(true);
  const killed = await agent.cli("kill", `${web.name}/tail`, "--all", "--wait");
  expect(killed).toMatchObject({ code: 0, stderr: "" });
  expect(killed.stdout.trim().split("\n")).toHaveLength(4);
  expect(tails.some(({ pid }) => isAlive(pid))).toBe(false);
});

testWith(needs, "waiting ends with the process, and is exit code 6 when it does not end", async () => {
  const slow = "trap 'sleep 1; exit 0' TERM; while true; do usleep 50000; done";
  const deaf = "trap : TERM; while true; do usleep 50000; done";
  const web = await containers.run({ argv: lasting(`sh -c "${slow}"`, `sh -c "${deaf}"`) });
  const ending = await trapping(web, "sh", "-c", slow);
  const started = Date.now();
  const waited = await agent.cli("kill", ending.ref, "--wait");
  expect(waited).toMatchObject({ code: 0, stdout: `${ending.ref} sh: exited after SIGTERM\n` });
  expect(Date.now() - started).toBeGreaterThan(900);
  const lasting1 = await trapping(web, "sh", "-c", deaf);
  const inVain = await agent.cli("kill", lasting1.ref, "--wait", "--timeout", "300ms");
  expect(inVain).toMatchObject({
    code: 6,
    stdout: `${lasting1.ref} sh: SIGTERM sent\n`,
    stderr: `pidward: not ended within 0.3 s: ${lasting1.ref} sh; --grace kills\n`,
  });
  expect(isAlive(lasting1.pid)).toBe(true);
  const audit = await agent.cli("audit", "--container", web.name, "--limit", "1");
  expect(audit.stdout).toMatch(/outcome +root +signal .*SIGTERM +failed .*not ended within 0\.3 s/);
  expect(await agent.cli("kill", lasting1.ref, "--wait", "--grace", "1s")).toMatchObject({ code: 2 });
});

testWith(needs, "a zombie is told with the parent that does not reap it, and what removes it", async () => {
  // The shell becomes a program that never waits: its first child stays a zombie below it.
  const lazy = "sleep 1 & exec sleep 424242";
  const web = await containers.run({ argv: lasting(`sh -c "${lazy}"`) });
  const parent = await only(web, "sleep", "424242");
  const zombie = await waitFor("the zombie", async () => {
    const { json } = await agent.get(`/api/v1/processes?container=${web.name}&state=zombie`);
    return json.processes?.find((one: ProcessRecord) => one.parentPid === parent.pid);
  });
  const hint = `it stays until sleep waits for it (wait(2)) or ends: pidward kill ${parent.ref}`;
  const killed = await agent.cli("kill", zombie.ref, "--signal", "KILL");
  expect(killed).toMatchObject({
    code: 6,
    stdout: `${zombie.ref} sleep: is a zombie, which cannot be killed; its parent ${parent.ref} sleep does not reap it: ${hint}\n`,
  });
  const status = await agent.cli("status", String(zombie.pid));
  expect(status.stdout).toMatch(/^state +zombie$/m);
  expect(status.stdout).toContain(`${parent.ref} sleep: ${hint}`);
  const { json } = await agent.get(`/api/v1/processes/${parent.pid}`);
  expect(json.zombieOf).toBeNull();
  const ended = await agent.cli("kill", parent.ref, "--grace", "2s");
  expect(ended.code).toBe(0);
  await waitFor("the zombie to be reaped", () => !existsSync(`/proc/${zombie.pid}`));
});

testWith(needs, "below an init that does not reap, what helps is another init", async () => {
  const web = await containers.run({ argv: ["sh", "-c", "sleep 1 & exec sleep 424242"] });
  const zombie = await waitFor("the zombie", async () => {
    const { json } = await agent.get(`/api/v1/processes?container=${web.name}&state=zombie`);
    // Not one of the runtime's own.
    return json.processes?.find(({ name }: ProcessRecord) => name === "sleep");
  });
  const { json } = await agent.post("/api/v1/signal", { selector: zombie.ref, signal: "KILL" });
  const answer: SignalAnswer = json;
  expect(answer.targets).toMatchObject([
    { outcome: "zombie", zombieOf: { name: "sleep", hint: expect.stringContaining("docker run --init") } },
  ]);
  expect(answer.targets[0]?.zombieOf?.ref.split("@")[0]).toBe(String(web.pid));
});

const endsByTerm = ["sh", "-c", "trap 'exit 3' TERM; while true; do usleep 50000; done"];

testWith(needs, "an init that the engine starts again is told with its policy", async () => {
  const web = await containers.run({ argv: endsByTerm, host: { RestartPolicy: { Name: "always" } } });
  await trapping(web, ...endsByTerm);
  const killed = await agent.cli("kill", web.name, "--wait");
  expect(killed).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(
      `exited after SIGTERM; docker (restart policy always of ${web.name}) will start it again`,
    ),
  });
  await waitFor("the new init", async () => {
    const { State: state } = await containers.get(web.id).inspect();
    return state.Running && state.Pid !== web.pid;
  });
});

testWith(needs, "an init is stopped by the engine, and its policy does not bring it back", async () => {
  const web = await containers.run({ argv: endsByTerm, host: { RestartPolicy: { Name: "always" } } });
  const init = await trapping(web, ...endsByTerm);
  const dry = await agent.cli("kill", web.name, "--stop", "--dry-run");
  expect(dry).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`${init.ref} sh: would be stopped by docker\n`),
  });
  expect(isAlive(init.pid)).toBe(true);
  const stopped = await agent.cli("kill", web.name, "--stop");
  expect(stopped).toMatchObject({
    code: 0,
    stdout: `note: ${web.name} has restart policy always: it stays down until the engine itself is restarted\n${init.ref} sh: stopped by docker\n`,
  });
  const state = async () => (await containers.get(web.id).inspect()).State;
  expect(await state()).toMatchObject({ Running: false, ExitCode: 3 });
  // The engine's first wait before it starts a container again is 100 ms.
  const until = Date.now() + 1_500;
  await waitFor("time to pass", () => Date.now() > until);
  expect(await state()).toMatchObject({ Status: "exited", Running: false });
  expect(agent.audit().at(-1)).toMatchObject({
    how: "stop by docker",
    outcome: "done",
    containerName: web.name,
  });
});

testWith(needs, "what no manager runs cannot be stopped by one", async () => {
  const web = await containers.run({ argv: lasting("httpd -f -p 8080") });
  const httpd = await only(web, "httpd");
  expect(await agent.cli("kill", httpd.ref, "--stop")).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("no process manager is known to run"),
  });
  expect(await agent.cli("kill", httpd.ref, "--stop", "--signal", "HUP")).toMatchObject({ code: 2 });
  expect(isAlive(httpd.pid)).toBe(true);
});

testWith(needs, "labels protect a container, or a program and what would end it", async () => {
  const kept = await containers.run({
    argv: lasting("httpd -f -p 8080"),
    labels: { "pidward.protect": "Yes" },
  });
  const keptHttpd = await only(kept, "httpd");
  const label = { "pidward.program.httpd.protect": "true" };
  const half = await containers.run({
    argv: lasting("httpd -f -p 8080", "tail -f /dev/null"),
    labels: label,
  });
  const httpd = await only(half, "httpd");
  const tail = await only(half, "tail");
  for (const args of [
    ["kill", keptHttpd.ref],
    ["kill", kept.name, "--stop"],
    ["restart", `${kept.name}/httpd`],
    ["kill", httpd.ref, "--dry-run"],
    ["kill", half.name],
    ["restart", half.name],
    ["restart", `${half.name}/httpd`],
  ])
    expect(await agent.cli(...args)).toMatchObject({ code: 4, stderr: expect.stringContaining("protect") });
  expect(await agent.cli("kill", tail.ref)).toMatchObject({ code: 0 });
  expect([keptHttpd, httpd].map(({ pid }) => isAlive(pid))).toEqual([true, true]);
  await containers.get(kept.id).stop({ t: 0 });
  await waitFor("the stop", async () => {
    const { json } = await agent.get(`/api/v1/containers/${kept.name}`);
    return json.state === "exited";
  });
  expect(await agent.cli("restart", kept.name)).toMatchObject({ code: 4 });
});

testWith(
  needs,
  "a container below another's cgroup is acted upon; three deep nobody knows whose it is",
  async () => {
    const outer = await containers.run({ argv: lasting("httpd -f -p 8080") });
    // Another driver has systemd make the cgroups, and there a container cannot be named as the parent.
    if ((await containers.docker.info()).CgroupDriver !== "cgroupfs") return;
    const parent = `/docker/${outer.id}`;
    const inner = await containers.run({ argv: lasting("httpd -f -p 8080"), host: { CgroupParent: parent } });
    const third = await containers.run({
      argv: lasting("httpd -f -p 8080"),
      host: { CgroupParent: `${parent}/${inner.id}` },
    });
    try {
      const unclear = await only(third, "httpd");
      expect(await agent.cli("kill", unclear.ref)).toMatchObject({
        code: 4,
        stderr: expect.stringContaining(
          `sits in nested containers (${outer.name} > ${inner.name} > ${third.name})`,
        ),
      });
      const clear = await only(inner, "httpd");
      expect(await agent.cli("kill", clear.ref, "--wait")).toMatchObject({ code: 0 });
      expect(isAlive(unclear.pid)).toBe(true);
    } finally {
      // Those below first: a cgroup with others in it cannot be removed.
      for (const one of [third, inner]) await containers.get(one.id).remove({ force: true });
    }
  },
);

testWith(needs, "a read-only agent answers dry runs and does nothing", async () => {
  const web = await containers.run({ argv: lasting("httpd -f -p 8080") });
  const httpd = await only(web, "httpd");
  const own = new TestAgent();
  try {
    await own.start({ engine: process.env.PIDWARD_TEST_ENGINE ?? "", args: ["--control.read-only"] });
    for (const command of ["kill", "restart"]) {
      const dry = await own.cli(command, httpd.ref, "--dry-run");
      expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining("--control.read-only") });
      const refused = await own.cli(command, httpd.ref);
      expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining("read-only") });
    }
    expect(isAlive(httpd.pid)).toBe(true);
    expect(own.audit()).toEqual([]);
  } finally {
    await own.remove();
  }
});
