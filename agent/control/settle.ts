import { setTimeout as delay } from "node:timers/promises";
import type { ContainerActions } from "../containers/runtime.ts";
import { AgentError } from "../errors.ts";
import { type Container, containerLabel, formatRef, type ProcessRef, type TargetProcess } from "../model.ts";
import { type ContainerChange, ContainerChanged, changeBetween, changeOf } from "./container-change.ts";
import type { Started } from "./drivers/driver.ts";
import { openProcess, type ProcessHandleParts } from "./process-handle.ts";

/** How long a new process may take to appear, beyond the time that it has to live. */
const appearLimitMs = 30_000;
const lookEveryMs = 100;
/** A look for a program's processes is a scan of the host, so it comes less often; so is a question to the engine. */
const scanEveryMs = 500;
const askEveryMs = 1_000;

export interface SettleParts extends ProcessHandleParts {
  readonly monotonicMs: () => number;
  readonly actionsOf: (container: Container) => ContainerActions | undefined;
  readonly inspect: (container: Container) => Promise<Container | undefined>;
  /** The living processes of a container by a new scan. */
  readonly processesOf: (containerId: string) => Promise<readonly TargetProcess[]>;
}

export interface Expectation {
  readonly container: Container;
  /** Null for a whole container. */
  readonly program: string | null;
  /** Refs of all that was in the container before the act. */
  readonly before: ReadonlySet<string>;
  readonly settleSeconds: number;
}

/** What a wait needs: how to look at processes, and at the container that they are in. */
interface Waiting extends SettleParts {
  /** @throws ContainerChanged when the container is paused, has ended or is gone */
  readonly requireUnchanged: () => Promise<void>;
}

/**
 * A restart has succeeded when a new process has lived for the settle time, not when a command exited 0.
 * @returns the refs of the new processes
 * @throws AgentError `failed` that says what happened to the new process, or to its container
 */
export async function settle(
  started: Started,
  expected: Expectation,
  parts: SettleParts,
): Promise<readonly string[]> {
  const waiting = { ...parts, requireUnchanged: watchContainer(expected.container, parts) };
  if (started.kind === "container") return [await settleContainer(started.oldInitPid, expected, waiting)];
  if (started.kind === "processes") {
    const pids = await started.pids();
    return Promise.all(pids.map((pid) => settleProcess(pid, expected, waiting)));
  }
  return Promise.all(started.execIds.map((execId) => settleExec(execId, expected, waiting)));
}

/**
 * A process that is frozen does not end either, and one whose container is gone leaves no word. An engine that has not
 * answered is not asked again: the processes can be seen without it.
 */
function watchContainer(container: Container, parts: SettleParts): () => Promise<void> {
  let isSilent = false;
  return async () => {
    if (isSilent) return;
    try {
      const change = await changeOf(container, parts);
      if (change !== undefined && change.kind !== "restarted") throw givenUp(change);
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== "unavailable") throw error;
      isSilent = true;
    }
  };
}

function givenUp(change: ContainerChange): ContainerChanged {
  return new ContainerChanged("the wait for the new process was given up", change);
}

async function settleContainer(
  oldInitPid: number | null,
  expected: Expectation,
  parts: Waiting,
): Promise<string> {
  const name = containerLabel(expected.container);
  const deadline = parts.monotonicMs() + appearLimitMs;
  let last = "it did not start";
  while (parts.monotonicMs() < deadline) {
    const now = await parts.inspect(expected.container);
    const change = changeBetween(expected.container, now);
    if (change?.kind === "removed" || change?.kind === "paused") throw givenUp(change);
    if (now?.state === "running" && now.initPid !== null && now.initPid !== oldInitPid) {
      const ref = refOfPid(now.initPid, parts);
      if (ref !== undefined && (await outlives(ref, expected.settleSeconds, parts))) return formatRef(ref);
      last = `its new init ${now.initPid} ended within ${expected.settleSeconds} s`;
    } else if (now?.state === "exited" || now?.state === "dead") {
      // A restart policy that is going to start it once more would have it in state "restarting".
      throw new AgentError(
        "failed",
        `container ${name} did not stay up: it ${now.state} with code ${now.exitCode}`,
      );
    }
    await delay(lookEveryMs);
  }
  throw new AgentError("failed", `container ${name} did not come back: ${last}`);
}

async function settleProcess(pid: number, expected: Expectation, parts: Waiting): Promise<string> {
  const ref = refOfPid(pid, parts);
  if (ref !== undefined && (await outlives(ref, expected.settleSeconds, parts))) return formatRef(ref);
  throw new AgentError(
    "failed",
    `the new process ${ref === undefined ? pid : formatRef(ref)} ended within ${expected.settleSeconds} s`,
  );
}

async function settleExec(execId: string, expected: Expectation, parts: Waiting): Promise<string> {
  const actions = parts.actionsOf(expected.container);
  const deadline = parts.monotonicMs() + appearLimitMs;
  let tried: ProcessRef | undefined;
  while (parts.monotonicMs() < deadline) {
    const status = await actions?.execStatus(execId);
    const pid = status?.pid ?? null;
    if (status?.running === true && pid !== null) {
      tried = refOfPid(pid, parts);
      if (tried !== undefined && (await outlives(tried, expected.settleSeconds, parts)))
        return formatRef(tried);
    }
    if (status === undefined || !status.running) {
      const exitCode = status?.exitCode ?? null;
      // Exit 0 is what a program does that puts itself into the background: then it is found by its name.
      if (exitCode === 0 || exitCode === null) return settleProgram(expected, parts);
      throw new AgentError("failed", `the new process ${describe(tried)}exited with code ${exitCode}`);
    }
    await delay(lookEveryMs);
  }
  throw new AgentError(
    "failed",
    `the new process ${describe(tried)}did not appear within ${appearLimitMs / 1000} s`,
  );
}

async function settleProgram(expected: Expectation, parts: Waiting): Promise<string> {
  const name = containerLabel(expected.container);
  const deadline = parts.monotonicMs() + Math.min(appearLimitMs, 5_000 + expected.settleSeconds * 1000);
  do {
    await parts.requireUnchanged();
    const processes = await parts.processesOf(expected.container.id);
    const fresh = processes.find(
      (process) => process.program === expected.program && !expected.before.has(formatRef(process.ref)),
    );
    if (fresh !== undefined && (await outlives(fresh.ref, expected.settleSeconds, parts)))
      return formatRef(fresh.ref);
    await delay(scanEveryMs);
  } while (parts.monotonicMs() < deadline);
  throw new AgentError(
    "failed",
    `the start command ended, and no new process of ${expected.program} lives in ${name}`,
  );
}

function refOfPid(pid: number, parts: ProcessHandleParts): ProcessRef | undefined {
  const stat = parts.readStat(pid);
  return stat === undefined ? undefined : { pid, startTicks: stat.startTicks };
}

/** Whether the process is still there when the time is over. @throws ContainerChanged */
async function outlives(ref: ProcessRef, seconds: number, parts: Waiting): Promise<boolean> {
  const handle = openProcess(ref, parts);
  if (handle === undefined) return false;
  try {
    const deadline = parts.monotonicMs() + seconds * 1000;
    let askAt = parts.monotonicMs() + askEveryMs;
    while (!handle.exited()) {
      const now = parts.monotonicMs();
      if (now >= deadline || now >= askAt) {
        await parts.requireUnchanged();
        askAt = parts.monotonicMs() + askEveryMs;
      }
      if (now >= deadline) return !handle.exited();
      await delay(Math.min(lookEveryMs, Math.max(0, deadline - parts.monotonicMs())));
    }
    return false;
  } finally {
    handle.close();
  }
}

function describe(ref: ProcessRef | undefined): string {
  return ref === undefined ? "" : `${formatRef(ref)} `;
}
