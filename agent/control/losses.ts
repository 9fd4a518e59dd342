import type { ResourceLimit } from "../api.ts";
import { AgentError } from "../errors.ts";
import { type Container, formatRef, type TargetProcess } from "../model.ts";
import { capabilityNames, type Privileges } from "../source/procfs/privileges.ts";

/** What a process has beside what is captured of it. A process that an engine starts has these of its container. */
export interface Traits {
  readonly privileges: Privileges;
  readonly limits: readonly ResourceLimit[];
  /** -20 to 19. */
  readonly nice: number;
  readonly oomScoreAdj: number;
  /** What the links of descriptors 1 and 2 say; null where one is closed. */
  readonly stdout: string | null;
  readonly stderr: string | null;
}

/** Reads of one process, now. Each gives undefined when the process is gone and throws when the file is refused. */
export interface TraitReaders {
  readonly readPrivileges: (pid: number) => Privileges | undefined;
  readonly readLimits: (pid: number) => readonly ResourceLimit[] | undefined;
  readonly readNice: (pid: number) => number | undefined;
  readonly readOomScoreAdj: (pid: number) => number | undefined;
  readonly readOutput: (pid: number, name: "stdout" | "stderr") => string | undefined;
  readonly readIds: (pid: number) => { readonly uid: number } | undefined;
}

/**
 * What the like of these processes, started by the engine's exec, would not have of them; only where there is a difference.
 * The container's init tells what its engine gives.
 */
export function describeLosses(
  targets: readonly TargetProcess[],
  container: Container,
  readers: TraitReaders,
): readonly string[] {
  const subjectsOf = new Map<string, string[]>();
  for (const { ref, name } of targets) {
    for (const fact of lossesOf(ref.pid, container.initPid, readers)) {
      const subjects = subjectsOf.get(fact) ?? [];
      subjectsOf.set(fact, subjects);
      subjects.push(`${formatRef(ref)} (${name})`);
    }
  }
  return [...subjectsOf].map(([fact, subjects]) => `${subjects.join(", ")}: ${fact}`);
}

function lossesOf(pid: number, initPid: number | null, readers: TraitReaders): readonly string[] {
  try {
    const old = readTraits(pid, readers);
    const init = initPid === null ? undefined : readTraits(initPid, readers);
    const uid = readers.readIds(pid)?.uid;
    return old === undefined || init === undefined || uid === undefined ? [] : findLosses(old, init, uid);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return [`what else is lost cannot be told: ${error.message}`];
  }
}

function readTraits(pid: number, readers: TraitReaders): Traits | undefined {
  const privileges = readers.readPrivileges(pid);
  const limits = readers.readLimits(pid);
  const nice = readers.readNice(pid);
  const oomScoreAdj = readers.readOomScoreAdj(pid);
  if (privileges === undefined || limits === undefined || nice === undefined || oomScoreAdj === undefined)
    return undefined;
  const stdout = readers.readOutput(pid, "stdout") ?? null;
  const stderr = readers.readOutput(pid, "stderr") ?? null;
  return { privileges, limits, nice, oomScoreAdj, stdout, stderr };
}

/** @param uid of the old process as its own user namespace numbers it; the new one has the same */
export function findLosses(old: Traits, init: Traits, uid: number): readonly string[] {
  return [
    ...capabilityLosses(old.privileges, init.privileges, uid),
    ...seccompLosses(old.privileges, init.privileges),
    ...limitLosses(old.limits, init.limits),
    ...(old.nice === 0 ? [] : [`loses its nice value ${old.nice}`]),
    ...(old.oomScoreAdj === init.oomScoreAdj
      ? []
      : [`loses its oom_score_adj ${old.oomScoreAdj}; the container's init has ${init.oomScoreAdj}`]),
    ...outputLosses(old, init),
  ];
}

/** Root gets all that the container allows, others get none (capabilities(7), "Transformation of capabilities"). */
function capabilityLosses(old: Privileges, init: Privileges, uid: number): readonly string[] {
  const fresh = uid === 0 ? init.bounding : 0n;
  const lost = ((old.effective | old.ambient) & ~fresh) | (old.bounding & ~init.bounding);
  const regained = (fresh & ~old.effective) | (init.bounding & ~old.bounding);
  return [
    ...(lost === 0n ? [] : [`loses ${capabilityNames(lost).join(", ")}`]),
    ...(regained === 0n ? [] : [`gets back ${capabilityNames(regained).join(", ")}, which it had given up`]),
  ];
}

function seccompLosses(old: Privileges, init: Privileges): readonly string[] {
  if (old.seccomp === init.seccomp && old.seccompFilters === init.seccompFilters) return [];
  return [`loses its seccomp: ${describeSeccomp(old)}; the container's init has ${describeSeccomp(init)}`];
}

function describeSeccomp({ seccomp, seccompFilters }: Privileges): string {
  if (seccomp === 1) return "strict mode";
  if (seccomp !== 2) return "none";
  return `${seccompFilters} filter${seccompFilters === 1 ? "" : "s"}`;
}

function limitLosses(old: readonly ResourceLimit[], init: readonly ResourceLimit[]): readonly string[] {
  const differing = old.flatMap((own) => {
    const other = init.find(({ name }) => name === own.name);
    const isSame = other === undefined || (own.soft === other.soft && own.hard === other.hard);
    return isSame ? [] : [`${own.name} ${describeLimit(own)}, the init has ${describeLimit(other)}`];
  });
  return differing.length === 0 ? [] : [`loses its limits (soft/hard): ${differing.join("; ")}`];
}

function describeLimit({ soft, hard }: ResourceLimit): string {
  return `${soft ?? "unlimited"}/${hard ?? "unlimited"}`;
}

function outputLosses(old: Traits, init: Traits): readonly string[] {
  const stdout = describeOutput(old.stdout, init);
  const stderr = describeOutput(old.stderr, init);
  if (stdout !== undefined && stdout === stderr) return [`loses its stdout and stderr: ${stdout}`];
  return [
    ...(stdout === undefined ? [] : [`loses its stdout: ${stdout}`]),
    ...(stderr === undefined ? [] : [`loses its stderr: ${stderr}`]),
  ];
}

/** A path can be 4096 bytes long. */
const longestPath = 200;

/** Where an output went; undefined: nowhere, so that nothing is lost. */
function describeOutput(link: string | null, init: Traits): string | undefined {
  if (link === null || link === "/dev/null") return undefined;
  const isFile = link.startsWith("/") && !link.startsWith("/dev/");
  if (!isFile && (link === init.stdout || link === init.stderr)) return "the container's log";
  if (isFile) return `the file ${JSON.stringify(link.slice(0, longestPath))}`;
  if (link.startsWith("pipe:")) return "a pipe to another process";
  if (link.startsWith("socket:")) return "a socket";
  return JSON.stringify(link.slice(0, longestPath));
}
