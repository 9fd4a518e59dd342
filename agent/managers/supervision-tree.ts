import path from "node:path";
import { type Container, containerLabel, type ProcessRef } from "../model.ts";
import { readChildPids } from "./child-pids.ts";
import {
  byName,
  type InsideProcess,
  type ManagedProgram,
  type Manager,
  type ManagerFinder,
  type ManagerKind,
  type ManagerParts,
} from "./manager.ts";
import { isPlainName } from "./plain-text.ts";
import {
  readService,
  restartService,
  type Service,
  type SupervisorLanguage,
  stopService,
} from "./service-control.ts";
import { conditionOf, describeState, type ServiceState } from "./service-state.ts";
import { unknownProgram } from "./unknown-program.ts";

/** A manager of the daemontools family: one process that scans a folder, below it a supervisor for each service. */
export interface SupervisionKind {
  readonly kind: ManagerKind;
  /** `s6-svscan` */
  readonly scanner: string;
  /** `s6-supervise`, with the service's name as its last argument; its working directory is the service's folder. */
  readonly supervisor: string;
  readonly language: SupervisorLanguage;
  /** Folders of the services that one supervisor has: `` for its own, `log` for that of its log. */
  readonly folders: readonly string[];
  /** Which of its folders a child of the supervisor belongs to, as far as the process tells it. */
  readonly folderOf: (process: InsideProcess) => string;
}

export function createSupervisionFinder(tree: SupervisionKind, parts: ManagerParts): ManagerFinder {
  return {
    kind: tree.kind,
    find: (container, processes) => {
      const byPid = new Map(processes.map((process) => [process.ref.pid, process]));
      const services = new Map<ProcessRef, Service[]>();
      for (const process of processes) {
        if (tree.scanner === process.name && !services.has(process.ref)) services.set(process.ref, []);
        const name = serviceName(process, tree);
        const parent = byPid.get(process.parentPid);
        // A child between fork and exec has its parent's name.
        if (name === undefined || parent?.name === tree.supervisor) continue;
        const owner = parent?.name === tree.scanner ? parent.ref : process.ref;
        const own = tree.folders.map(
          (folder): Service => ({
            name: nameWith(name, folder),
            supervisor: process.ref,
            folder,
            language: tree.language,
          }),
        );
        services.set(owner, [...(services.get(owner) ?? []), ...own]);
      }
      return [...services].map(([ref, own]) => createManager(tree.kind, container, ref, own, parts));
    },
    nameOf: (process, parent) => {
      const name = parent && process.name !== tree.supervisor ? serviceName(parent, tree) : undefined;
      return name === undefined ? undefined : nameWith(name, tree.folderOf(process));
    },
  };
}

const nameWith = (name: string, folder: string): string => (folder === "" ? name : `${name}/${folder}`);

/** What the process supervises; undefined when it is no supervisor of the kind. */
function serviceName(process: InsideProcess, tree: SupervisionKind): string | undefined {
  const [program = "", ...args] = process.command ?? [];
  if (process.name !== tree.supervisor || path.posix.basename(program) !== tree.supervisor) return undefined;
  const name = args.at(-1);
  return name !== undefined && isPlainName(name) ? name : undefined;
}

function createManager(
  kind: ManagerKind,
  container: Container,
  ref: ProcessRef,
  services: readonly Service[],
  parts: ManagerParts,
): Manager {
  const label = `${kind} in ${containerLabel(container)}`;
  const known = (): readonly (readonly [Service, ServiceState])[] =>
    services.flatMap((service) => {
      const state = readService(service, parts);
      return state === undefined ? [] : [[service, state] as const];
    });
  const require = (program: string): Service => {
    const all = known().map(([service]) => service);
    const found = all.find((service) => service.name === program);
    if (found !== undefined) return found;
    throw unknownProgram(
      label,
      program,
      all.map(({ name }) => name),
    );
  };
  return {
    kind,
    ref,
    list: async () =>
      known()
        .map(([service, state]) => toProgram(service, state, parts))
        .sort(byName),
    restart: async (program) => restartService(require(program), label, parts),
    stop: async (program) => stopService(require(program), label, parts),
    describeRestart: (program) => `${label}: end program ${JSON.stringify(program)}, which is started again`,
  };
}

function toProgram(service: Service, state: ServiceState, parts: ManagerParts): ManagedProgram {
  const pid =
    state.phase === "up" ? readChildPids(parts.procRoot, service.supervisor.pid).get(state.pid) : undefined;
  return {
    name: service.name,
    state: describeState(state),
    condition: conditionOf(state),
    pid: pid ?? null,
    remark: state.phase === "up" ? null : state.lastEnd,
  };
}
