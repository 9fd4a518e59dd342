import { spawn } from "node:child_process";
import { once } from "node:events";
import { noteStarted } from "./started.ts";

/** Runs something with a process that the test may act upon; it is ended afterwards. */
export async function withProcess(
  argv: readonly string[],
  use: (pid: number) => Promise<void>,
): Promise<void> {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { stdio: "ignore" });
  const ended = once(child, "exit");
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} did not start`);
  noteStarted(pid);
  try {
    await use(pid);
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}
