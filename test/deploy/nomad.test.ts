import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "@cdktn/hcl2json";
import { expect, test } from "@jest/globals";
import { settingRows } from "../../agent/config.ts";
import known from "../fixtures/nomad-job.json";

const file = path.join(__dirname, "../../deploy/nomad/pidward.nomad.hcl");
// biome-ignore lint/suspicious/noExplicitAny: what is in it is what the tests are about
type Block = any;

/** By HashiCorp's own parser. Blocks are arrays, one that has a name is behind it. */
async function readJob(): Promise<{
  job: Block;
  group: Block;
  task: Block;
  config: Block;
  variables: Block;
}> {
  const { job: jobs, variable: variables } = (await parse(
    "pidward.nomad.hcl",
    readFileSync(file, "utf8"),
  )) as Block;
  const [job] = jobs.pidward;
  const [group] = job.group.agent;
  const [task] = group.task.pidward;
  return { job, group, task, config: task.config[0], variables };
}

function typeOf(value: unknown): string {
  if (!Array.isArray(value)) return typeof value;
  return value.every((one) => typeof one === "string") ? "strings" : "block";
}

test("the Nomad job has no attribute that Nomad does not know", async () => {
  const { job, group, task, config } = await readJob();
  const strange = (block: Block, names: readonly string[]) =>
    Object.keys(block).filter((name) => !names.includes(name));
  expect([
    ...strange(job, known.job),
    ...strange(job.update[0], known.update),
    ...strange(group, known.group),
    ...strange(group.restart[0], known.restart),
    ...strange(task, known.task),
    ...strange(task.resources[0], known.resources),
    ...config.mount.flatMap((mount: Block) => strange(mount, known.mount)),
  ]).toEqual([]);
  const types: Readonly<Record<string, string>> = known.config;
  const wrong = Object.entries(config).filter(([name, value]) => types[name] !== typeOf(value));
  expect(wrong).toEqual([]);
});

test("the Nomad job runs the agent on every client with no more rights than it needs", async () => {
  const { job, task, config, variables } = await readJob();
  expect(job.type).toBe("system");
  expect(variables.image[0].default).toBe("pidward:local");
  expect(task).toMatchObject({ driver: "docker", user: "root" });
  expect(config).toMatchObject({
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Nomad's own
    image: "${var.image}",
    pid_mode: "host",
    cgroupns: "host",
    readonly_rootfs: true,
    cap_drop: ["all"],
    cap_add: ["sys_ptrace", "dac_read_search", "kill", "bpf", "perfmon"],
  });
  expect(config).not.toHaveProperty("privileged");
  const names = settingRows({ env: {}, uid: 0, home: "/root", hostRoot: "/" }).map(
    ({ environment }) => environment,
  );
  for (const name of Object.keys(task.env[0])) expect(names).toContain(name);
});

test("what the clients have to allow stands in the job's head", async () => {
  const { config } = await readJob();
  const text = readFileSync(file, "utf8");
  const plugin = text.slice(0, text.indexOf('variable "image"')).replaceAll(/^# ?/gm, "");
  const from = plugin.indexOf('plugin "docker" {');
  const { plugin: parsed } = (await parse("client.hcl", plugin.slice(from))) as Block;
  expect(parsed.docker[0].config[0]).toEqual({
    allow_privileged: true,
    allow_caps: config.cap_add,
    volumes: [{ enabled: true }],
  });
});
