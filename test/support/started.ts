import { appendFileSync, readFileSync } from "node:fs";
import path from "node:path";

/** Notes a process that a test started, so that the runner ends it when jest is not there any more to do so. */
export function noteStarted(pid: number): void {
  const scratch = process.env.PIDWARD_TEST_SCRATCH;
  if (scratch === undefined) return;
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const startTicks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  appendFileSync(path.join(scratch, "started"), `${pid} ${startTicks}\n`);
}
