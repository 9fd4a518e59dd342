import type { AuditRecord, Finding } from "./api.ts";
import { assembleApp } from "./assemble-app.ts";
import { assembleControl } from "./assemble-control.ts";
import { loadGroupRules } from "./assemble-groups.ts";
import { assembleHost, type Host, monotonicMs } from "./assemble-host.ts";
import { describeExposure, listenWeb, readWebConfig } from "./assemble-web.ts";
import type { Config } from "./config.ts";
import { type Audit, createAudit } from "./control/audit.ts";
import { createAuditFile } from "./control/audit-file.ts";
import { AgentError, reasonOf } from "./errors.ts";
import type { LoadedWebConfig } from "./http/access/web-config-file.ts";
import { createSocketAccess } from "./http/actor.ts";
import { createApp } from "./http/app.ts";
import { createAttachDoor } from "./http/attach.ts";
import { type Listener, listenUnix } from "./http/servers.ts";
import { findDeployment } from "./inventory/deployment.ts";
import { examineHost } from "./inventory/doctor.ts";
import type { Logger } from "./log.ts";
import { limitMalloc } from "./malloc.ts";
import type { Snapshot } from "./model.ts";
import { releaseProgramPages } from "./program-pages.ts";
import { createServiceNotice } from "./service-notice.ts";
import { loadSyscalls, type Syscalls } from "./syscalls.ts";

/** How long requests under way may take when the agent is asked to end. */
const closeGraceMs = 10_000;
/** So long after its start what runs once and what has to be compiled is behind it. */
const settledMs = 30_000;

/** An agent that runs. */
export interface RunningAgent {
  /** Finishes requests, removes the socket, ends scans and connections. */
  stop(): Promise<void>;
  /** Ends the program, without waiting for threads that hang in reading a file where the kernel's calls can be had. */
  exit(code: number): never;
}

/**
 * Starts the agent: first look, engine, listeners. Its first log lines say what it found and what is missing.
 * @throws AgentError when the host cannot be read or a listener cannot be had
 */
export async function runAgent(config: Config, log: Logger, version: string): Promise<RunningAgent> {
  const { syscalls, syscallsReason } = await trySyscalls();
  if (syscalls !== undefined) limitMalloc(syscalls);
  const host = assembleHost(config, syscalls, log, version, await loadGroupRules(config, log));
  const audit = assembleAudit(config, host, log);
  const control = assembleControl(config, host, syscalls, audit, log);
  const parts = assembleApp(config, host, control, audit, syscalls, version, log);
  const socketAccess = createSocketAccess(parts);
  const door = createAttachDoor(parts, socketAccess);
  const listeners: Listener[] = [];
  const notice = createServiceNotice({
    env: process.env,
    syscalls,
    pid: process.pid,
    isAlive: () => Date.now() - (host.scanner.latest()?.takenAt ?? 0) < parts.maxSnapshotAgeMs,
    log,
  });
  const stop = async (): Promise<void> => {
    notice.stopping();
    host.events.close();
    audit.close();
    await door.close();
    await Promise.all(listeners.map((listener) => listener.close(closeGraceMs)));
    // Those whose client was cut off just now.
    await control.commandsEnded();
    for (const runtime of host.runtimes) runtime.close();
    await host.scanner.stop();
    host.exitWatch.stop();
    host.groups?.close();
  };
  try {
    await Promise.all(host.runtimes.map((runtime) => runtime.start()));
    const snapshot = await host.scanner.start();
    host.exitWatch.start();
    await reportUnfinished(audit.reportUnfinished, log);
    const webConfig = await readWebConfig(config);
    introduce(config, host, snapshot, examine(config, webConfig, host, syscallsReason), log, version);
    const web = { app: parts, log, monotonicMs, onConfig: host.own.webConfigRead };
    listeners.push(await listenWeb(config, webConfig, web));
    listeners.push(await listenUnix(createApp(parts, socketAccess), config.controlSocket, door.upgrade));
  } catch (error) {
    await stop();
    throw error;
  }
  const [web, socket] = listeners;
  log.info("listening", { web: web?.address, control: socket?.address, telemetry: config.webTelemetryPath });
  notice.ready(`listening on ${web?.address} and ${socket?.address}, processes by ${host.source.name}`);
  if (syscalls !== undefined) setTimeout(() => saveMemory(syscalls, log), settledMs).unref();
  const exit = (code: number): never => {
    syscalls?.exit(code);
    process.exit(code);
  };
  return { stop, exit };
}

/** Nothing depends on it. */
function saveMemory(syscalls: Syscalls, log: Logger): void {
  try {
    releaseProgramPages(syscalls);
  } catch (error) {
    log.debug("the pages of the program's start stay in memory", { reason: reasonOf(error) });
  }
}

/** What `doctor` says of this host, without a running agent. */
export async function examineWithoutAgent(
  config: Config,
  log: Logger,
  version: string,
): Promise<readonly Finding[]> {
  const { syscalls, syscallsReason } = await trySyscalls();
  const host = assembleHost(config, syscalls, log, version);
  try {
    await Promise.all(host.runtimes.map((runtime) => runtime.start()));
    return examine(config, await tryWebConfig(config), host, syscallsReason);
  } finally {
    host.source.close();
    host.exitWatch.stop();
    host.groups?.close();
    for (const runtime of host.runtimes) runtime.close();
  }
}

function assembleAudit(config: Config, host: Host, log: Logger): Audit {
  const { auditFile: path, auditMaxSize: maxBytes, auditKeep: keep, auditBestEffort: bestEffort } = config;
  return createAudit({
    file: createAuditFile({ path, maxBytes, keep, log }),
    bestEffort,
    containerName: (id) => host.resolver.known().find((container) => container.id === id)?.name ?? null,
    now: Date.now,
    log,
    onWriteFailure: host.own.auditFailed,
  });
}

async function trySyscalls(): Promise<{ syscalls: Syscalls | undefined; syscallsReason: string | null }> {
  try {
    return { syscalls: await loadSyscalls(), syscallsReason: null };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { syscalls: undefined, syscallsReason: error.message };
  }
}

/** The file, or what is wrong with it. */
async function tryWebConfig(config: Config): Promise<LoadedWebConfig | AgentError | undefined> {
  try {
    return await readWebConfig(config);
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
}

function examine(
  config: Config,
  webConfig: LoadedWebConfig | AgentError | undefined,
  host: Host,
  syscallsReason: string | null,
): readonly Finding[] {
  return examineHost({
    rights: host.rights,
    facts: host.featureFacts(),
    deployment: findDeployment({
      env: process.env,
      rights: host.rights,
      labelsOf: (id) => host.resolver.known().find((container) => container.id === id)?.labels,
    }),
    sysRoot: config.pathSysfs,
    cgroupVersion: host.cgroups.version,
    source: host.source.name,
    sourceReason: host.sourceReason,
    eventsSource: host.eventSource.name,
    eventsReason: host.eventSource.reason,
    runtimes: host.runtimes.map((runtime) => runtime.status()),
    syscallsReason,
    webConfigReason: webConfig instanceof AgentError ? webConfig.message : null,
    exposure: webConfig instanceof AgentError ? [] : describeExposure(config, webConfig),
  });
}

function introduce(
  config: Config,
  host: Host,
  snapshot: Snapshot,
  findings: readonly Finding[],
  log: Logger,
  version: string,
): void {
  const slower = host.source.name === "bpf" ? "slowerBecause" : "withoutBpf";
  const running = snapshot.containers.filter((container) => container.state === "running").length;
  log.info(`pidward ${version}`, {
    source: host.source.name,
    ...(host.sourceReason === null ? {} : { [slower]: host.sourceReason }),
    events: host.eventSource.name,
    ...(host.eventSource.reason === null ? {} : { eventsWithoutBpf: host.eventSource.reason }),
    cgroups: host.cgroups.version,
    ...(config.pathRootfs === "/" ? {} : { rootfs: config.pathRootfs }),
    processes: snapshot.table.length,
    containers: snapshot.containers.length,
    running,
  });
  if (host.runtimes.every((runtime) => !runtime.status().available)) {
    log.warn("no container engine answers: reporting the host's own processes until one appears");
  }
  for (const { subject, level, message, remedy } of findings) {
    if (level === "missing" || level === "warning")
      log.warn(`${subject}: ${message}`, remedy === null ? {} : { remedy });
  }
}

/** Acts that an earlier agent began and whose end nobody knows. */
async function reportUnfinished(report: () => Promise<readonly AuditRecord[]>, log: Logger): Promise<void> {
  try {
    for (const { action, selector, refs, time } of await report()) {
      log.warn("an act was under way when the agent ended: its outcome is unknown", {
        action,
        selector,
        refs,
        began: time,
      });
    }
  } catch (error) {
    log.warn("the audit file cannot be used: nothing can be acted upon", { reason: reasonOf(error) });
  }
}
