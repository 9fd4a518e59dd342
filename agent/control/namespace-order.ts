import { existsSync } from "node:fs";
import os from "node:os";
import { type CgroupLayout, readCgroupFile } from "../source/cgroupfs/layout.ts";
import type { ProcessFiles } from "../source/procfs/process-files.ts";
import type { Captured } from "./capture.ts";
import { findCgroupEntries } from "./cgroup-entry.ts";
import type { EntryOrder } from "./entry-order.ts";
import { findNamespaces, lackOfRights, namespaceLosses, type ProcessTraits } from "./namespace-plan.ts";

export interface OrderParts {
  readonly procRoot: string;
  readonly agentPid: number;
  readonly cgroups: CgroupLayout;
  readonly files: ProcessFiles;
}

/** An order for the helper, with what will be lost; or the reason in words why the like of a process cannot be started. */
export type OrderOrReason =
  | { readonly order: EntryOrder; readonly warnings: readonly string[] }
  | { readonly reason: string };

/** Reads of a process, of its container's init and of the agent itself what an order says. */
export function makeOrder(captured: Captured, initPid: number, parts: OrderParts): OrderOrReason {
  const { files, agentPid } = parts;
  const { pid } = captured.of.ref;
  const [old, own, ids] = [readTraits(pid, files), readTraits(agentPid, files), files.readIds(pid)];
  if (old === undefined || own === undefined || ids === undefined)
    return { reason: "it has ended, or the kernel does not tell its rights" };
  const lack = lackOfRights(own.privileges);
  if (lack !== undefined) return { reason: lack };
  const namespaces = findNamespaces(pid, initPid, agentPid, files.readLink);
  if ("reason" in namespaces) return namespaces;
  const texts = [pid, initPid, agentPid].map(files.readCgroup);
  const [oldText = "", initText = "", ownText = ""] = texts;
  if (texts.includes(undefined)) return { reason: "it or its container's init has ended" };
  const entries = findCgroupEntries(
    { old: oldText, init: initText, own: ownText },
    parts.cgroups,
    existsSync,
  );
  if ("reason" in entries) return entries;
  const folders = entries.map((entry) => entry.folders);
  if (folders.flat().some(isFrozen)) return { reason: "its cgroup is frozen: unpause the container first" };
  const env = toRecord(captured.env);
  const [program = ""] = captured.argv;
  if (!program.includes("/") && env.PATH === undefined)
    return { reason: `its environment has no PATH in which to look for "${program}"` };
  const reachable = own.privileges.bounding & own.privileges.permitted;
  const hex = (set: bigint): string => (set & reachable).toString(16);
  const { privileges } = old;
  return {
    warnings: namespaceLosses(old, own),
    order: {
      procRoot: parts.procRoot,
      oldPid: pid,
      initPid,
      namespaces,
      cgroups: folders,
      argv: captured.argv,
      env,
      workdir: captured.workdir,
      ...ids,
      inheritable: hex(privileges.inheritable),
      bounding: hex(privileges.bounding),
      ambient: hex(privileges.ambient),
      noNewPrivileges: privileges.noNewPrivileges,
      seccomp: privileges.seccompFilters > 0,
      umask: privileges.umask,
      nice: old.nice,
      oomScoreAdjust: old.oomScoreAdjust,
      limits: old.limits.map(({ soft, hard }) => ({ soft, hard })),
    },
  };
}

/** @throws AgentError `no_rights` when /proc refuses */
function readTraits(pid: number, files: ProcessFiles): ProcessTraits | undefined {
  const privileges = files.readPrivileges(pid);
  const limits = files.readLimits(pid);
  const oomScoreAdjust = files.readOomScoreAdjust(pid);
  const securityLabel = files.readSecurityLabel(pid);
  if (privileges === undefined || limits === undefined) return undefined;
  if (oomScoreAdjust === undefined || securityLabel === undefined) return undefined;
  return { privileges, limits, nice: os.getPriority(pid), oomScoreAdjust, securityLabel };
}

/** freezer.state of v1, cgroup.events of v2. */
function isFrozen(folder: string): boolean {
  const v1 = readCgroupFile(folder, "freezer.state")?.trim() ?? "THAWED";
  return v1 !== "THAWED" || /^frozen 1$/m.test(readCgroupFile(folder, "cgroup.events") ?? "");
}

function toRecord(env: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    env.map((entry) => {
      const at = entry.indexOf("=");
      return [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}
