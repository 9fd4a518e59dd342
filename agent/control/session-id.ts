// 4242 (sh) S 4200 4242 4242 34816 …
import { createFileReader } from "../source/procfs/files.ts";

/**
 * Reads the session of a process (field 6 of /proc/PID/stat, proc_pid_stat(5)): the host PID of its first process, which
 * need not live any more. The kernel does not give that number to another process while the session has a member.
 * @returns undefined when the process is gone or may not be read
 */
export function readSession(procRoot: string, pid: number): number | undefined {
  const files = createFileReader();
  const length = files.read(`${procRoot}/${pid}/stat`);
  return typeof length === "number" ? parseSession(files.bytes.toString("latin1", 0, length)) : undefined;
}

/** @returns undefined when the text is no such line */
export function parseSession(text: string): number | undefined {
  // The name can hold brackets and blanks: what follows its last bracket is a state and numbers.
  const match = /^\) \S \d+ \d+ (\d+) /.exec(text.slice(Math.max(0, text.lastIndexOf(")"))));
  return match === null ? undefined : Number(match[1]);
}
