import { spawn } from "node:child_process";
import { once } from "node:events";
import { Writable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { parseExposition } from "../metrics/parse-exposition.ts";
import { TestAgent } from "../support/agent.ts";
import { kernelObstacle } from "../support/kernel.ts";
import { missing } from "../support/parts.ts";
import { noteStarted } from "../support/started.ts";
import { waitFor } from "../support/wait-for.ts";

const agent = new TestAgent();
beforeAll(() => agent.start());
afterAll(() => agent.remove());

/** Forks so many processes that wait for the end of its descriptor 3, says so, and takes their ends. */
const crowd = `
i=0
while [ $i -lt $0 ]; do (read line <&3; exit 5) & i=$((i+1)); done
echo there
wait
echo gone`;

async function exits(): Promise<{ readonly nonzero: number; readonly lost: number }> {
  const { text } = await agent.get("/metrics");
  const series = parseExposition(text);
  const sum = (name: string, reason?: string): number =>
    series
      .filter((one) => one.name === name && (reason === undefined || one.labels.reason === reason))
      .reduce((total, { value }) => total + value, 0);
  return {
    nonzero: sum("pidward_program_exits_total", "exit_nonzero"),
    lost: sum("pidward_events_lost_total"),
  };
}

const reason = missing(["busybox"]) ?? kernelObstacle("bpf");
(reason === undefined ? test : test.skip)(
  `ten thousand processes that appear at once and end at once are all seen and all told${reason === undefined ? "" : ` [not run: ${reason}]`}`,
  async () => {
    const count = 10_000;
    const before = await exits();
    const parent = spawn("/bin/busybox", ["sh", "-c", crowd, String(count)], {
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
    const living = async (): Promise<number> =>
      (await agent.get("/api/v1/processes?name=busybox&limit=1")).json.total;
    try {
      await waitFor("the crowd", () => said.includes("there"), 240_000);
      await waitFor("all in a scan", async () => (await living()) >= count + 1, 60_000);
      gate.end();
      await waitFor("their ends", () => said.includes("gone"), 240_000);
      await waitFor("all ends", async () => (await exits()).nonzero - before.nonzero >= count, 60_000);
      expect((await exits()).lost).toBe(before.lost);
      await waitFor("none in a scan", async () => (await living()) === 0, 30_000);
      expect((await agent.get("/readyz")).status).toBe(200);
    } finally {
      gate.end();
      await ended;
    }
  },
  600_000,
);
