import { spawn } from "node:child_process";
import { once } from "node:events";
import { Writable } from "node:stream";
import { noteStarted } from "./started.ts";
import { waitFor } from "./wait-for.ts";

/** Forks so many processes that wait for the end of its descriptor 3, says so, and takes their ends. */
const script = `
i=0
while [ $i -lt $0 ]; do (read line <&3; exit 5) & i=$((i+1)); done
echo there
wait
echo gone`;

/** Many processes of busybox that do nothing. */
export interface Crowd {
  /** Lets them end, each with exit code 5, and waits for that. */
  end(): Promise<void>;
}

/** Whether a process with this command line is of a crowd: the host may have others of busybox. */
export function isOfCrowd(command: readonly string[] | null): boolean {
  return command?.includes(script) === true;
}

export async function startCrowd(count: number): Promise<Crowd> {
  const parent = spawn("/bin/busybox", ["sh", "-c", script, String(count)], {
    stdio: ["ignore", "pipe", "inherit", "pipe"],
  });
  const [, , , gate] = parent.stdio;
  if (!(gate instanceof Writable)) throw new Error("no pipe");
  if (parent.pid !== undefined) noteStarted(parent.pid);
  const ended = once(parent, "exit");
  let said = "";
  parent.stdout?.on("data", (chunk) => {
    said += chunk;
  });
  const end = async (): Promise<void> => {
    gate.end();
    await ended;
  };
  try {
    await waitFor("the crowd", () => said.includes("there"), 240_000);
  } catch (error) {
    await end();
    throw error;
  }
  return { end };
}
