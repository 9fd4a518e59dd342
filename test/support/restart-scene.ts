import { existsSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { AuditRecord, ProcessRecord, RestartAnswer } from "../../agent/api.ts";
import type { Answer, TestAgent } from "./agent.ts";
import type { TestContainer, TestContainers } from "./containers.ts";
import { argvOf, catchesSignal, isAlive, readOfProcess } from "./host-process.ts";
import { neighbours, type RestartRow } from "./restart-rows.ts";
import { waitFor } from "./wait-for.ts";

/** Files that the restarted program obeys (`hold`, `deaf`, `die`, `brief`) or makes (`stopping`, `begun`). */
type Flag = "hold" | "deaf" | "die" | "brief" | "stopping" | "begun";

/** The main process of the restarted program, and the refs of those beside it. */
export interface Seen {
  readonly main: ProcessRecord;
  readonly neighbours: readonly string[];
}

const settleSeconds = 1;
const lookEveryMs = 150;

/** A row's container, with programs that do as they are told. */
export class RestartScene {
  readonly container: TestContainer;
  readonly selector: string;
  private readonly row: RestartRow;
  private readonly agent: TestAgent;
  private readonly containers: TestContainers;
  private readonly folder: string;

  /** @param folder of its own, mounted at /app */
  static async begin(
    row: RestartRow,
    folder: string,
    agent: TestAgent,
    containers: TestContainers,
  ): Promise<RestartScene> {
    const container = await containers.run(row.prepare(folder));
    const scene = new RestartScene(row, folder, agent, containers, container);
    await scene.look();
    return scene;
  }

  private constructor(
    row: RestartRow,
    folder: string,
    agent: TestAgent,
    containers: TestContainers,
    container: TestContainer,
  ) {
    this.row = row;
    this.containers = containers;
    this.folder = folder;
    this.agent = agent;
    this.container = container;
    this.selector = row.program === null ? container.name : `${container.name}/${row.program}`;
  }

  set(flag: Flag): void {
    writeFileSync(path.join(this.folder, flag), "");
  }

  clear(...flags: readonly Flag[]): void {
    for (const flag of flags) rmSync(path.join(this.folder, flag), { force: true });
  }

  has(flag: Flag): boolean {
    return existsSync(path.join(this.folder, flag));
  }

  /** All programs, once each runs and bears its name. */
  look(): Promise<Seen> {
    return waitFor(
      `the programs of ${this.row.driver}`,
      async () => {
        const processes = await this.processes();
        const [main, ...more] = processes.filter((one) => this.isMain(one));
        const beside = processes.filter(isNeighbour).map(({ ref }) => ref);
        const isWhole = more.length === 0 && beside.length === Object.keys(neighbours).length;
        if (isWhole && main !== undefined && catchesSignal(main.pid, "TERM") && (await this.isKnownToRun()))
          return { main, neighbours: beside };
        // Many may look at the same time.
        await delay(lookEveryMs);
        return undefined;
      },
      90_000,
    );
  }

  async processes(): Promise<readonly ProcessRecord[]> {
    const { json } = await this.agent.get(`/api/v1/processes?container=${this.container.name}`);
    return json.processes ?? [];
  }

  /** Refs of the program and its neighbours, and of what would have been started beside them; sorted. */
  async programRefs(): Promise<readonly string[]> {
    const own = (await this.processes()).filter((one) => this.isScript(one) || isNeighbour(one));
    return own.map(({ ref }) => ref).sort();
  }

  restart(more: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
    const { driver, isLast } = this.row;
    const asked = isLast === true ? { driver } : {};
    return this.agent.post("/api/v1/restart", { selector: this.selector, settleSeconds, ...asked, ...more });
  }

  /** @throws Error with the agent's words when it fails */
  async restarted(more: Readonly<Record<string, unknown>> = {}): Promise<RestartAnswer> {
    const { status, json } = await this.restart(more);
    if (status !== 200) throw new Error(`${status}: ${json.detail}`);
    return json;
  }

  /** Takes all flags away and waits until everything runs, by whatever is left to restart it. */
  async recover(): Promise<void> {
    this.clear("hold", "deaf", "die", "brief", "stopping", "begun");
    const { bringBack } = this.row;
    if (bringBack !== null) await this.containers.exec(this.container.id, bringBack);
    else
      await waitFor(`the return of ${this.selector}`, async () => {
        const isUp = (await this.processes()).some((one) => this.isMain(one));
        return isUp || (await this.restart()).status === 200;
      });
    await this.look();
  }

  /** Its programs cost the others time. */
  async remove(): Promise<void> {
    const container = this.containers.get(this.container.id);
    // Some engines do not end what is frozen. What stays is removed with the file's other containers.
    await container.unpause().catch(() => undefined);
    await container.remove({ force: true }).catch(() => undefined);
  }

  /** What the audit has of this container. */
  audit(): readonly AuditRecord[] {
    return this.agent.audit().filter((record) => record.container === this.container.id);
  }

  /** Waits until the agent has the engine's word that the container does not run any more. */
  async hasEnded(): Promise<void> {
    await waitFor(`the end of ${this.container.name}`, async () => !(await this.isKnownToRun()));
  }

  /** The engine tells of it in its own time. */
  private async isKnownToRun(): Promise<boolean> {
    const { json } = await this.agent.get(`/api/v1/containers/${this.container.name}`);
    return json.state === "running";
  }

  private isMain(one: ProcessRecord): boolean {
    return this.isScript(one) && (this.row.program === null || one.program === this.row.program);
  }

  private isScript({ command, parentPid, state }: ProcessRecord): boolean {
    const line = command?.join(" ");
    // Between fork and exec a child is still what its parent is.
    const isFork = argvOf(parentPid).join(" ") === line;
    return line === `/bin/sh /app/${this.row.script}` && !isFork && state !== "zombie";
  }
}

function isNeighbour({ command }: ProcessRecord): boolean {
  return Object.values<string | undefined>(neighbours).includes(command?.join(" "));
}

/** Whether this life of a process goes on, and in which cgroups. */
export function livesIn(ref: string, containerId: string): boolean {
  const [pid = ""] = ref.split("@");
  return isAlive(ref) && readOfProcess(pid, "cgroup")?.includes(containerId) === true;
}
