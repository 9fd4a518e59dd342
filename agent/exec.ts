import { type ChildProcess, spawn } from "node:child_process";

/** A program to be started, without a shell. */
export interface ProgramStart {
  /** What is executed: a path, or a name that is looked for in the PATH of `env`. */
  readonly file: string;
  /** What the program is told it was called by, as a rule the same. */
  readonly argv0: string;
  readonly args: readonly string[];
  /** All of its environment: nothing of the caller's own is handed on. */
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  /** Its first descriptors, 0 and up: a pipe, or a descriptor of the caller's. It gets no others. */
  readonly stdio: readonly ("pipe" | number)[];
  /** In a session of its own; it then outlives the caller. */
  readonly detached: boolean;
}

/** Starts a program. Nothing else in the agent does. That it cannot be started comes as the event `error`. */
export function startProgram(start: ProgramStart): ChildProcess {
  return spawn(start.file, start.args, {
    argv0: start.argv0,
    env: { ...start.env },
    cwd: start.workdir,
    stdio: [...start.stdio],
    detached: start.detached,
  });
}
