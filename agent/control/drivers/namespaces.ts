import { AgentError } from "../../errors.ts";
import { type Container, formatRef, type TargetProcess } from "../../model.ts";
import { type Captured, type CaptureParts, captureProcess, describeCaptured } from "../capture.ts";
import type { EntryOrder } from "../entry-order.ts";
import type { OrderOrReason } from "../namespace-order.ts";
import type { PreparedEntry, PrepareEntry } from "../namespace-start.ts";
import type { StopTargets } from "../stop.ts";
import { findRespawnPlace, type RestartDriver } from "./driver.ts";

export interface NamespacesParts extends CaptureParts {
  readonly allowed: boolean;
  /** What to tell the helper, with what will be lost; or the reason in words why the like of it cannot be started. */
  readonly orderFor: (captured: Captured, initPid: number) => OrderOrReason;
  readonly prepare: PrepareEntry;
  readonly stop: StopTargets;
  /** Whether a new process is where the container's init is, or has ended already. */
  readonly isInside: (pid: number, initPid: number) => boolean;
  /** What of a command line is shown in a plan. */
  readonly showCommand: (argv: readonly string[]) => readonly string[];
}

/**
 * Starts the like of the old process inside its container without an engine: a helper enters the namespaces and cgroups of
 * the container and gives up all rights that the old process did not have. All that can be made ready is, before the old
 * process is stopped.
 */
export function createNamespacesDriver(parts: NamespacesParts): RestartDriver {
  return {
    name: "namespaces",
    plan: async (targets) => {
      if (!parts.allowed) return { reason: "it is off; --control.allow-namespaces would allow it" };
      const place = findRespawnPlace(targets);
      if ("reason" in place) return place;
      const { container, name } = place;
      const { initPid } = container;
      if (initPid === null) return { reason: `the init of ${name} is not known` };
      const orders = targets.processes.map((process) => orderOf(process, container, initPid, parts));
      const doubts = orders.flatMap((one) => ("reason" in one ? [one.reason] : []));
      if (doubts.length > 0) return { reason: doubts.join("; ") };
      const ready = orders.flatMap((one) => ("order" in one ? [one] : []));
      return {
        plan: {
          text: `through the namespaces of ${name}: ${ready.map(({ captured }) => describeCaptured(captured, parts.showCommand)).join("; ")}`,
          warnings: [...new Set(ready.flatMap(({ warnings }) => warnings))],
          stops: targets.processes,
          run: async () => {
            const pids = await restart(
              ready.map(({ order }) => order),
              () => parts.stop(targets),
              parts,
            );
            return { kind: "processes", pids: async () => pids };
          },
        },
      };
    },
  };
}

function orderOf(
  process: TargetProcess,
  container: Container,
  initPid: number,
  parts: NamespacesParts,
):
  | (Extract<OrderOrReason, { order: unknown }> & { readonly captured: Captured })
  | { readonly reason: string } {
  const capture = captureProcess(process, container, parts);
  if ("reason" in capture) return capture;
  const { captured } = capture;
  const found = parts.orderFor(captured, initPid);
  if ("reason" in found)
    return { reason: `${formatRef(process.ref)} (${process.name}) cannot be restarted so: ${found.reason}` };
  return { ...found, captured };
}

async function restart(
  orders: readonly EntryOrder[],
  stop: () => Promise<unknown>,
  parts: NamespacesParts,
): Promise<readonly number[]> {
  const prepared: PreparedEntry[] = [];
  try {
    for (const order of orders) prepared.push(await parts.prepare(order));
    await stop();
    const pids: number[] = [];
    for (const [index, entry] of prepared.entries()) {
      const pid = await entry.start();
      const { initPid } = orders[index] ?? { initPid: pid };
      if (!parts.isInside(pid, initPid))
        throw new AgentError("failed", `the new process ${pid} is not in the container`);
      pids.push(pid);
    }
    return pids;
  } finally {
    for (const entry of prepared) entry.cancel();
  }
}
