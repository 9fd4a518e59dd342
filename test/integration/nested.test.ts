import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect } from "@jest/globals";
import type { ProcessDetail, ProcessRecord } from "../../agent/api.ts";
import { systemCode } from "../../agent/errors.ts";
import type { TestContainer } from "../support/containers.ts";
import { isAlive } from "../support/host-process.ts";
import { withProcess } from "../support/programs.ts";
import { testWith } from "../support/test-with.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

const { agent, containers } = useEngine();
const needs = ["docker", "busybox"] as const;
/** How long an agent may keep what it knows of a process's cgroup, and more. */
const moveLimitMs = 120_000;

const lasting = (...programs: readonly string[]): readonly string[] => [
  "sh",
  "-c",
  `${programs.map((program) => `${program} & `).join("")}while true; do sleep 1; wait; done`,
];
/** Three processes that a test can move. */
const three = lasting(...Array.from({ length: 3 }, () => "tail -f /dev/null"));

const someId = (): string => randomBytes(32).toString("hex");

/** The container's cgroup in each hierarchy: what an engine inside it would make its own containers' below. */
function cgroupsOf({ pid }: TestContainer): readonly string[] {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n");
  return lines.flatMap((line) => {
    const [, controllers = "", own = ""] = line.split(/:(.*?):/s);
    if (own === "/") return [];
    const unified = existsSync("/sys/fs/cgroup/unified") ? "unified" : "";
    const hierarchy = controllers === "" ? unified : controllers.replace(/^name=/, "");
    return [path.join("/sys/fs/cgroup", hierarchy, own)];
  });
}

/** Cgroups by hand, as an engine inside of containers makes them; gone at the end of the test. */
class NestedCgroups {
  private readonly made: string[] = [];

  /** Moves a process below a container's cgroup, to `docker/ID/docker/ID…`. */
  move(pid: number, outer: TestContainer, ids: readonly string[]): void {
    for (const top of cgroupsOf(outer)) {
      let folder = top;
      for (const name of ids.flatMap((id) => ["docker", id])) {
        const parent = folder;
        folder = path.join(parent, name);
        if (existsSync(folder)) continue;
        mkdirSync(folder);
        this.made.push(folder);
        // An empty set of CPUs or memory nodes takes no process (cpuset(7)).
        for (const file of ["cpuset.cpus", "cpuset.mems"]) {
          if (existsSync(path.join(folder, "tasks")) && existsSync(path.join(folder, file)))
            writeFileSync(path.join(folder, file), readFileSync(path.join(parent, file)));
        }
      }
      writeFileSync(path.join(folder, "cgroup.procs"), String(pid));
    }
  }

  async remove(): Promise<void> {
    for (const folder of this.made.splice(0).reverse())
      await waitFor(`${folder} to be removed`, () => removeEmptied(folder));
  }
}

/** Moves what is left up to the container, where it came from. @returns whether the cgroup is gone */
function removeEmptied(folder: string): boolean {
  try {
    for (const pid of readFileSync(path.join(folder, "cgroup.procs"), "utf8").split("\n"))
      if (pid !== "") writeFileSync(path.join(folder, "../../cgroup.procs"), pid);
    rmdirSync(folder);
    return true;
  } catch (error) {
    // ESRCH: it has ended meanwhile; EBUSY: it is about to.
    if (["ESRCH", "EBUSY"].includes(systemCode(error) ?? "")) return false;
    throw error;
  }
}

async function withNested(use: (cgroups: NestedCgroups) => Promise<void>): Promise<void> {
  const cgroups = new NestedCgroups();
  try {
    await use(cgroups);
  } finally {
    await cgroups.remove();
  }
}

async function tailsOf(container: TestContainer): Promise<readonly ProcessRecord[]> {
  return waitFor(`the programs of ${container.name}`, async () => {
    const { status, json } = await agent.get(`/api/v1/processes?selector=${container.name}`);
    const all: readonly ProcessRecord[] = status === 200 ? json.processes : [];
    const tails = all.filter(({ name }) => name === "tail");
    return tails.length === 3 && tails;
  });
}

/** Until the agent shows the process under this container. */
async function seenIn(pid: number, id: string): Promise<ProcessDetail> {
  return waitFor(
    `${pid} to be seen in ${id.slice(0, 12)}`,
    async () => {
      const { json } = await agent.get(`/api/v1/processes/${pid}`);
      return json.container?.id === id && json;
    },
    moveLimitMs,
  );
}

testWith(
  needs,
  "in a container that a container made, what the outer one answers for is killed, and a stranger is not",
  async () => {
    const outer = await containers.run({ argv: three });
    const [own, , bystander] = await tailsOf(outer);
    const inner = someId();
    await withNested(async (cgroups) =>
      withProcess(["sleep", "100000"], async (stranger) => {
        for (const pid of [own?.pid ?? 0, stranger]) cgroups.move(pid, outer, [inner]);
        const shown = await seenIn(own?.pid ?? 0, inner);
        expect(shown).toMatchObject({ ref: own?.ref, container: { runtime: "docker" } });
        await seenIn(stranger, inner);
        expect(await agent.cli("kill", String(stranger), "--signal", "KILL")).toMatchObject({
          code: 4,
          stderr: expect.stringContaining("shares none of its namespaces"),
        });
        expect(await agent.cli("kill", shown.ref, "--wait")).toMatchObject({ code: 0 });
        expect([isAlive(own?.pid ?? 0), isAlive(stranger)]).toEqual([false, true]);
        expect(isAlive(bystander?.pid ?? 0)).toBe(true);
      }),
    );
  },
  300_000,
);

testWith(
  needs,
  "a process of one container below another's id is nobody's, nor is one three deep",
  async () => {
    const outer = await containers.run({ argv: three });
    const other = await containers.run({ argv: lasting("httpd -f -p 8080") });
    const [named, deep] = await tailsOf(outer);
    const [first, second] = [someId(), someId()];
    await withNested(async (cgroups) => {
      cgroups.move(named?.pid ?? 0, outer, [other.id]);
      cgroups.move(deep?.pid ?? 0, outer, [first, second]);
      // It looks like the other's now, which would be killed with it, or for it.
      const claimed = await seenIn(named?.pid ?? 0, other.id);
      await seenIn(deep?.pid ?? 0, second);
      for (const command of ["kill", "restart"])
        expect(await agent.cli(command, claimed.ref)).toMatchObject({
          code: 4,
          stderr: expect.stringContaining(
            `sits in nested containers (${outer.name} > ${other.name}), but the init of ${other.name} is in ${other.name}`,
          ),
        });
      expect(await agent.cli("kill", deep?.ref ?? "")).toMatchObject({
        code: 4,
        stderr: expect.stringContaining(
          `sits in nested containers (${outer.name} > ${first.slice(0, 12)} > ${second.slice(0, 12)})`,
        ),
      });
      expect([named, deep].map((one) => isAlive(one?.pid ?? 0))).toEqual([true, true]);
    });
  },
  300_000,
);

testWith(
  needs,
  "the outer container's protection holds for what is in an inner one",
  async () => {
    const outer = await containers.run({ argv: three, labels: { "pidward.protect": "true" } });
    const [own] = await tailsOf(outer);
    const inner = someId();
    await withNested(async (cgroups) => {
      cgroups.move(own?.pid ?? 0, outer, [inner]);
      await seenIn(own?.pid ?? 0, inner);
      expect(await agent.cli("kill", own?.ref ?? "", "--signal", "KILL")).toMatchObject({
        code: 4,
        stderr: expect.stringContaining(`container ${outer.name} is protected`),
      });
      expect(isAlive(own?.pid ?? 0)).toBe(true);
    });
  },
  300_000,
);
