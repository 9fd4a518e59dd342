import type { Host } from "./assemble-host.ts";
import type { Config } from "./config.ts";
import type { ContainerExecs } from "./containers/runtime.ts";
import type { Audit } from "./control/audit.ts";
import { createExecControl, type ExecControl } from "./control/exec-control.ts";
import type { ExecInContainerParts } from "./control/exec-in-container.ts";
import type { Guard } from "./control/guard.ts";
import { readSession } from "./control/session-id.ts";
import type { SettleParts } from "./control/settle.ts";
import type { SignalParts } from "./control/signal.ts";
import { findContainer } from "./inventory/selector.ts";
import type { Logger } from "./log.ts";
import type { Container } from "./model.ts";
import { redactArguments } from "./redact.ts";

/** Sessions, and commands, at the same time: each holds a connection to the engine and a buffer. */
const mostAtOnce = 32;

/** What commands in containers share with the rest that acts. */
type ExecShared = SignalParts & Pick<SettleParts, "inspect" | "processesOf">;

/** What runs a command, and ends what does not end, for `createExecInContainer`. */
export function assembleExecParts(
  config: Config,
  { resolver, runtimes, files }: Host,
  shared: ExecShared,
  log: Logger,
): ExecInContainerParts {
  const execsOf = (container: Container): ContainerExecs | undefined =>
    container.known ? runtimes.find((runtime) => runtime.status().name === container.runtime) : undefined;
  return {
    ...shared,
    execsOf,
    isInside: (pid, container) => {
      const cgroup = files.readCgroup(pid);
      const resolved = cgroup === undefined ? undefined : resolver.resolve(cgroup);
      return resolved?.container.id === container.id || resolved?.authority?.id === container.id;
    },
    readSession: (pid) => readSession(config.pathProcfs, pid),
    log,
  };
}

/** Commands and terminals in containers. */
export function assembleExec(
  config: Config,
  host: Host,
  shared: ExecShared,
  guard: Guard,
  audit: Audit,
  log: Logger,
): ExecControl {
  return createExecControl({
    ...assembleExecParts(config, host, shared, log),
    inspect: shared.inspect,
    audit,
    onAct: host.own.acted,
    freshSnapshot: host.scanner.fresh,
    findContainer: (nameOrId, snapshot) => {
      const container = snapshot.containers[findContainer(nameOrId, snapshot)];
      if (container === undefined) throw new Error("an index of no container");
      return container;
    },
    refuseContainer: guard.refuseContainer,
    showCommand: config.redact ? redactArguments : (argv) => argv,
    most: mostAtOnce,
    idleMs: config.attachIdleTimeout,
    longestMs: config.attachMaxDuration,
    log,
  });
}
