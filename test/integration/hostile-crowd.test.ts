import { existsSync } from "node:fs";
import { afterEach, expect } from "@jest/globals";
import type { ProcessRecord } from "../../agent/api.ts";
import { testWith } from "../support/test-with.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

const { agent, containers } = useEngine();
afterEach(() => containers.removeAll(), 180_000);

/** Ten thousand, of as many names; as many of one name on the host itself are in load.test.ts. */
const groups = 40;
const groupSize = 250;

testWith(
  ["docker", "busybox"],
  "a container that makes ten thousand processes of as many names hides nobody else and is few series",
  async () => {
    const series = async (): Promise<number> =>
      (await agent.get("/metrics")).text.split("\n").filter((line) => !line.startsWith("#")).length;
    const good = await containers.run({
      argv: ["sh", "-c", "sleep 100001 & while true; do sleep 1; wait; done"],
    });
    const before = await series();
    // Each renames itself: programs are named by processes.
    const group = `i=0; while [ $i -lt ${groupSize} ]; do (echo p$1-$i > /proc/self/comm; read line < /fifo) & i=$((i+1)); done; wait`;
    const crowd = await containers.run({
      argv: [
        "sh",
        "-c",
        `mkfifo /fifo; g=0; while [ $g -lt ${groups} ]; do sh -c '${group}' x $g & g=$((g+1)); done; while true; do sleep 1; wait; done`,
      ],
    });
    await waitFor(
      "all of them",
      async () =>
        (await agent.get(`/api/v1/processes?container=${crowd.name}&limit=1`)).json.total >
        groups * groupSize,
      280_000,
    );
    expect((await series()) - before).toBeLessThan(50_000);
    const shown = await agent.cli("ps", good.name);
    expect(shown.stdout).toContain("sleep 100001");
    const { json } = await agent.get(`/api/v1/processes?container=${good.name}&limit=5`);
    const target = json.processes.find((one: ProcessRecord) => one.command?.[1] === "100001");
    expect(target).toMatchObject({ residentBytes: expect.any(Number), container: { name: good.name } });
    expect((await agent.get("/metrics")).text).toMatch(
      new RegExp(`^pidward_program_processes\\{container="${good.name}",program="sleep"\\}`, "m"),
    );
    expect((await agent.cli("kill", target.ref, "--signal", "KILL")).code).toBe(0);
    expect((await agent.get("/readyz")).json.ready).toBe(true);
    // The engine gives up on an end that takes the kernel more than some seconds.
    process.kill(crowd.pid, "SIGKILL");
    await waitFor("the end of the crowd", () => !existsSync(`/proc/${crowd.pid}`), 120_000);
  },
  480_000,
);
