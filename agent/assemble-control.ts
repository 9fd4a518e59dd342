import { assembleExec, assembleExecParts } from "./assemble-exec.ts";
import type { Host } from "./assemble-host.ts";
import { monotonicMs } from "./assemble-host.ts";
import { assembleNamespaces } from "./assemble-namespaces.ts";
import type { Config } from "./config.ts";
import type { ContainerActions } from "./containers/runtime.ts";
import type { Audit } from "./control/audit.ts";
import type { CaptureParts } from "./control/capture.ts";
import { type Control, createControl } from "./control/control.ts";
import { createContainerDriver } from "./control/drivers/container.ts";
import type { RestartDriver } from "./control/drivers/driver.ts";
import { createLabelDriver } from "./control/drivers/label.ts";
import { createManagerDrivers } from "./control/drivers/manager.ts";
import { createRespawnDriver } from "./control/drivers/respawn.ts";
import type { ExecControl } from "./control/exec-control.ts";
import { createExecInContainer } from "./control/exec-in-container.ts";
import { createGuard } from "./control/guard.ts";
import type { SignalParts } from "./control/signal.ts";
import { createStop } from "./control/stop.ts";
import { createStopByCommand } from "./control/stop-by-command.ts";
import { toContainerName } from "./inventory/records.ts";
import { findTargets, livingProcesses, livingTargets, programsOf } from "./inventory/targets.ts";
import { zombieParent } from "./inventory/zombies.ts";
import type { Logger } from "./log.ts";
import { findOwner } from "./managers/find-owner.ts";
import { openContainerFiles } from "./managers/inside.ts";
import type { Container, Snapshot, TargetProcess, Targets } from "./model.ts";
import { redactArguments } from "./redact.ts";
import type { Syscalls } from "./syscalls.ts";

/** Of a manager's own command, such as systemctl. */
const managerCommandLimits = { timeoutMs: 30_000, outputBytes: 1 << 20 };

/** The parts that act, on top of those that read. */
export function assembleControl(
  config: Config,
  host: Host,
  syscalls: Syscalls | undefined,
  audit: Audit,
  log: Logger,
): Control & ExecControl {
  const { scanner, resolver, files, runtimes } = host;
  const runtimeOf = (container: Container) =>
    container.known ? runtimes.find((runtime) => runtime.status().name === container.runtime) : undefined;
  const actionsOf = (container: Container): ContainerActions | undefined => runtimeOf(container);
  /** Nothing is stopped that an engine is to start again while it does not answer. */
  const inspect = async (container: Container): Promise<Container | undefined> =>
    runtimeOf(container)?.inspect(container.id);
  const authorityOf = (cgroupText: string): Container | null =>
    resolver.resolve(cgroupText)?.authority ?? null;
  const targetsIn = (selector: string, snapshot: Snapshot): Targets =>
    findTargets(selector, snapshot, authorityOf);
  const processesOf = async (containerId: string): Promise<readonly TargetProcess[]> => {
    const snapshot = await scanner.fresh();
    return livingProcesses(containerId, snapshot, authorityOf);
  };
  const signalling: SignalParts = { syscalls, readStat: files.readStat, monotonicMs };
  const stop = createStop(signalling);
  const shared = { ...signalling, inspect, processesOf };
  const run = createExecInContainer(assembleExecParts(config, host, shared, log));
  const stopByCommand = createStopByCommand({ ...signalling, runCommand: run });
  const showCommand = config.redact ? redactArguments : (argv: readonly string[]) => argv;
  const capture: CaptureParts = {
    readCommand: files.readCommand,
    readEnviron: files.readEnviron,
    readWorkdir: (pid) => files.readLink(pid, "cwd"),
    readIds: files.readIds,
    filesOf: (pid) =>
      syscalls === undefined ? undefined : openContainerFiles(config.pathProcfs, pid, syscalls),
  };
  // The most particular first: the first that has a plan is used.
  const drivers: readonly RestartDriver[] = [
    ...createManagerDrivers({ managersIn: host.managed.managersIn, snapshot: scanner.latest }),
    createLabelDriver({ actionsOf, stop, stopByCommand, showCommand }),
    createContainerDriver({ actionsOf }),
    createRespawnDriver({
      ...capture,
      readPrivileges: files.readPrivileges,
      readLimits: files.readLimits,
      readNice: files.readNice,
      readOomScoreAdj: files.readOomScoreAdjust,
      readOutput: (pid, name) => files.readLink(pid, name === "stdout" ? "fd/1" : "fd/2"),
      actionsOf,
      stop,
      showCommand: config.redact ? redactArguments : (argv) => argv,
    }),
    assembleNamespaces(config, host, syscalls, {
      ...capture,
      stop,
      showCommand,
    }),
  ];
  const guard = createGuard({
    agentPid: process.pid,
    allowHost: config.controlAllowHost,
    readOnly: config.controlReadOnly,
    nestingOf: (cgroupText) => resolver.resolve(cgroupText)?.nesting ?? [],
  });
  const control = createControl({
    ...signalling,
    guard,
    audit,
    drivers,
    membership: {
      agentPid: process.pid,
      inspect,
      readNamespace: (pid, kind) => files.readLink(pid, kind === "mnt" ? "ns/mnt" : "ns/pid"),
      log,
    },
    actionsOf,
    inspect,
    processesOf,
    findManager: async ({ container, ref }, snapshot) => {
      if (container === null) return undefined;
      const found = await findOwner(ref.pid, host.managed.managersIn(container, snapshot), snapshot);
      // To stop a worker is not to stop its program.
      return found?.pid === ref.pid ? found : undefined;
    },
    stopByCommand,
    zombieParent,
    freshSnapshot: scanner.fresh,
    findTargets: targetsIn,
    programsOf,
    livingTargets,
    log,
    onAct: host.own.acted,
    onRestarted: ({ driver, old, new: started, seconds }, { container, program }) =>
      host.events.add({
        type: "restarted",
        time: new Date().toISOString(),
        container: container === null ? null : toContainerName(container),
        program,
        driver,
        old,
        new: started,
        seconds,
      }),
  });
  host.inside.run = async (container, argv) => {
    const request = { argv, env: [], workdir: undefined, user: "0", stdin: undefined };
    const { exitCode, stdout, stderr } = await run(container, request, managerCommandLimits);
    return { exitCode, stdout: stdout.toString("utf8"), stderr: stderr.toString("utf8") };
  };
  const exec = assembleExec(config, host, shared, guard, audit, log);
  return { ...control, ...exec };
}
