import type { Socket } from "node:net";
import type { HostReport, ProcessDetail, ResourceLimit, RuntimeRecord } from "./api.ts";
import type { Host } from "./assemble-host.ts";
import type { Config } from "./config.ts";
import type { Audit } from "./control/audit.ts";
import type { Control } from "./control/control.ts";
import type { ExecControl } from "./control/exec-control.ts";
import { AgentError } from "./errors.ts";
import type { AppParts } from "./http/parts.ts";
import { listContainers, toContainerRecord } from "./inventory/container-records.ts";
import { createHostFacts } from "./inventory/host.ts";
import { toProcessDetail } from "./inventory/process-detail.ts";
import { listProcesses } from "./inventory/process-list.ts";
import type { RecordContext } from "./inventory/records.ts";
import { findContainer, parseSelector, select } from "./inventory/selector.ts";
import { createCpuSampler } from "./inventory/usage.ts";
import { createUserNames } from "./inventory/users.ts";
import type { Logger } from "./log.ts";
import { contentTypes } from "./metrics/own-metrics.ts";
import type { Snapshot } from "./model.ts";
import { redactArguments } from "./redact.ts";
import type { PeerCredentials, Syscalls } from "./syscalls.ts";

/** What the API needs of the parts, as functions. */
export function assembleApp(
  config: Config,
  host: Host,
  control: Control & ExecControl,
  audit: Audit,
  syscalls: Syscalls | undefined,
  version: string,
  log: Logger,
): AppParts {
  const { scanner, units } = host;
  const context: RecordContext = {
    units,
    users: createUserNames(config.pathRootfs, Date.now),
    showCommand: config.redact ? redactArguments : (argv) => argv,
  };
  const sampler = createCpuSampler(config.pathProcfs);
  const facts = createHostFacts(log, Date.now);
  const runtimes = (): readonly RuntimeRecord[] => host.runtimes.map((runtime) => runtime.status());
  const current = (): Snapshot => {
    const snapshot = scanner.latest();
    if (snapshot === undefined) throw new AgentError("unavailable", "no scan has ended yet");
    return snapshot;
  };
  const readLimits = (pid: number): readonly ResourceLimit[] | null => {
    try {
      return host.files.readLimits(pid) ?? null;
    } catch (error) {
      if (error instanceof AgentError) return null;
      throw error;
    }
  };
  const getProcess = async (pidOrRef: string): Promise<ProcessDetail> => {
    const snapshot = current();
    const row = findProcess(pidOrRef, snapshot);
    return toProcessDetail(row, snapshot, {
      ...context,
      readLimits,
      sampleCpu: sampler.sample,
      outlook: control.outlook,
    });
  };
  const hostReport = async (): Promise<HostReport> => {
    const snapshot = scanner.latest();
    return {
      version,
      takenAt: snapshot === undefined ? null : new Date(snapshot.takenAt).toISOString(),
      source: host.source.name,
      sourceReason: host.sourceReason,
      events: {
        source: host.eventSource.name,
        reason: host.eventSource.reason,
        lost: host.eventSource.lost(),
      },
      cgroupVersion: host.cgroups.version,
      runtimes: runtimes(),
      processes: snapshot?.table.length ?? 0,
      containers: snapshot?.containers.length ?? 0,
      problems: snapshot?.problems ?? [],
      facts: await facts.read(),
    };
  };
  return {
    snapshot: scanner.latest,
    listProcesses: (query) => listProcesses(query, current(), context),
    getProcess,
    listContainers: () => listContainers(current(), host.readContainerResources),
    getContainer: (nameOrId) => {
      const snapshot = current();
      return toContainerRecord(findContainer(nameOrId, snapshot), snapshot, host.readContainerResources);
    },
    hostReport,
    renderMetrics: async (target, format, encoding) => {
      const body = host.scrapes.body(target, format, encoding);
      if (body === undefined) throw new AgentError("unavailable", "no scan has ended yet");
      return { contentType: contentTypes[format], body: await body };
    },
    runtimes,
    signal: control.signal,
    restart: control.restart,
    exec: control.exec,
    attach: control.attach,
    events: host.events,
    audit,
    onRefused: host.own.readRefused,
    maxSnapshotAgeMs: Math.max(10_000, 5 * config.scanInterval),
    now: Date.now,
    version,
    telemetryPath: config.webTelemetryPath,
    controlAddress: `unix://${config.controlSocket}`,
    peerOf: (socket) => {
      const peer = peerOf(socket, syscalls);
      return peer && { ...peer, user: context.users.nameOf(peer.uid) ?? null };
    },
    log,
  };
}

/** The row of a PID or ref. In a path, what does not hold is not found. */
function findProcess(pidOrRef: string, snapshot: Snapshot): number {
  const selector = parseSelector(pidOrRef);
  if (selector.kind !== "pid" && selector.kind !== "ref") {
    throw new AgentError("bad_request", `"${pidOrRef}" is neither a PID nor a ref`);
  }
  try {
    const [row] = select(selector, snapshot).rows;
    if (row !== undefined) return row;
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== "stale_ref") throw error;
    throw new AgentError("not_found", error.message, { details: error.details });
  }
  throw new AgentError("not_found", `no process ${pidOrRef} on this host`);
}

/** Node keeps the descriptor of a socket to itself; its handle has it under this name since 0.x. */
function peerOf(socket: Socket, syscalls: Syscalls | undefined): PeerCredentials | undefined {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } };
  const fd = handle?.fd ?? -1;
  return fd < 0 ? undefined : syscalls?.peerCredentials(fd);
}
