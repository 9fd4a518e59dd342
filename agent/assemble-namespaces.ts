import path from "node:path";
import type { Host } from "./assemble-host.ts";
import type { Config } from "./config.ts";
import type { CaptureParts } from "./control/capture.ts";
import type { RestartDriver } from "./control/drivers/driver.ts";
import { createNamespacesDriver } from "./control/drivers/namespaces.ts";
import { makeOrder } from "./control/namespace-order.ts";
import { createPrepareEntry } from "./control/namespace-start.ts";
import type { StopTargets } from "./control/stop.ts";
import { AgentError } from "./errors.ts";
import type { Syscalls } from "./syscalls.ts";

/** The restart without an engine. */
export function assembleNamespaces(
  config: Config,
  { files, cgroups }: Host,
  syscalls: Syscalls | undefined,
  shared: CaptureParts & {
    readonly stop: StopTargets;
    readonly showCommand: (argv: readonly string[]) => readonly string[];
  },
): RestartDriver {
  const parts = { procRoot: config.pathProcfs, agentPid: process.pid, cgroups, files };
  return createNamespacesDriver({
    ...shared,
    allowed: config.controlAllowNamespaces,
    orderFor: (captured, initPid) => makeOrder(captured, initPid, parts),
    prepare:
      syscalls === undefined
        ? async () => {
            throw new AgentError("unavailable", "without koffi no namespace can be entered");
          }
        : createPrepareEntry(syscalls, path.join(__dirname, "control/namespace-helper.js")),
    isInside: (pid, initPid) => {
      const own = files.readLink(pid, "ns/mnt");
      return own === undefined || own === files.readLink(initPid, "ns/mnt");
    },
  });
}
