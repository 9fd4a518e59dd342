import path from "node:path";
import { AgentError, reasonOf } from "../errors.ts";
import type { ContainerFiles } from "../managers/inside.ts";
import { type Container, formatRef, type TargetProcess } from "../model.ts";
import type { InsideIds } from "../source/procfs/process-files.ts";
import { type ExecUser, execUserFor } from "./exec-user.ts";
import { quoteCommand } from "./program-commands.ts";

/** What /proc tells of a process, ready for the engine's exec. */
export interface Captured {
  readonly of: TargetProcess;
  readonly argv: readonly string[];
  /** `KEY=value`, as at the start of the process: what it set later cannot be seen. */
  readonly env: readonly string[];
  /** Absolute path inside the container. */
  readonly workdir: string;
  /** `uid:gid`, or `uid` where that brings the same groups. */
  readonly user: string;
  readonly warnings: readonly string[];
}

/** Reads of one process, now. Each gives undefined when the process is gone and throws when the file is refused. */
export interface CaptureParts {
  readonly readCommand: (pid: number) => readonly string[] | undefined;
  readonly readEnviron: (pid: number) => readonly string[] | undefined;
  readonly readWorkdir: (pid: number) => string | undefined;
  readonly readIds: (pid: number) => InsideIds | undefined;
  /** Undefined where files inside a container cannot be looked at safely. */
  readonly filesOf: (initPid: number) => ContainerFiles | undefined;
}

/** The PATH of a process that has none (the engine's default for exec). */
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Captures a process so that the like of it can be started. Programs overwrite their command line and environment
 * (setproctitle), so both are checked for sense: a plan that cannot be trusted is a reason, not a plan.
 */
export function captureProcess(
  target: TargetProcess,
  container: Container,
  parts: CaptureParts,
): { readonly captured: Captured } | { readonly reason: string } {
  const what = `${formatRef(target.ref)} (${target.name})`;
  try {
    const { pid } = target.ref;
    const argv = parts.readCommand(pid);
    const env = parts.readEnviron(pid);
    const workdir = parts.readWorkdir(pid);
    const ids = parts.readIds(pid);
    if (argv === undefined || env === undefined || workdir === undefined || ids === undefined) {
      return { reason: `${what} has ended` };
    }
    const files = parts.filesOf(container.initPid ?? pid);
    if (files === undefined) return { reason: `the files of ${what}'s container cannot be looked at` };
    const doubt = doubtOf(argv, env, workdir, files);
    if (doubt !== undefined) return { reason: `${what} cannot be respawned: ${doubt}` };
    const execUser: ExecUser = execUserFor(ids, files);
    const warnings = env.length === 0 ? [`${what} has no environment: the container's own is used`] : [];
    return {
      captured: {
        of: target,
        argv,
        env,
        workdir,
        user: execUser.user,
        warnings: [...warnings, ...execUser.warnings],
      },
    };
  } catch (error) {
    return {
      reason: `${what} cannot be read: ${error instanceof AgentError ? error.message : reasonOf(error)}`,
    };
  }
}

/** What a start of the like is, in words. @param showCommand what of a command line may be shown */
export function describeCaptured(
  captured: Captured,
  showCommand: (argv: readonly string[]) => readonly string[],
): string {
  const shown = quoteCommand(showCommand(captured.argv));
  return `stop ${captured.of.name} and run ${shown} in ${captured.workdir} as ${captured.user}`;
}

function doubtOf(
  argv: readonly string[],
  env: readonly string[],
  workdir: string,
  files: ContainerFiles,
): string | undefined {
  const [program = ""] = argv;
  if (program === "") return "its command line is empty";
  if (env.some((entry) => !/^[^=]+=/.test(entry))) return "its environment has been overwritten";
  if (!workdir.startsWith("/") || !files.isFolder(workdir))
    return `its working directory ${workdir} is not there`;
  if (!findProgram(program, env, workdir, files)) {
    return `its command line begins with "${program.slice(0, 80)}", which is no program in the container; it may have been overwritten`;
  }
  return undefined;
}

function findProgram(
  program: string,
  env: readonly string[],
  workdir: string,
  files: ContainerFiles,
): boolean {
  if (program.includes("/")) return files.isExecutable(path.posix.resolve(workdir, program));
  const searched = env.find((entry) => entry.startsWith("PATH="))?.slice("PATH=".length) ?? defaultPath;
  return searched
    .split(":")
    .some((folder) => folder.startsWith("/") && files.isExecutable(`${folder}/${program}`));
}
