import { afterEach, expect } from "@jest/globals";
import type { ProcessRecord } from "../../agent/api.ts";
import { TestAgent } from "../support/agent.ts";
import { TestContainers } from "../support/containers.ts";
import { testWith } from "../support/test-with.ts";
import { waitFor } from "../support/wait-for.ts";

const containers = new TestContainers();
const agent = new TestAgent();
afterEach(async () => {
  await agent.remove();
  await containers.removeAll();
}, 60_000);

const parts = ["docker", "busybox"] as const;

/** Root with these capabilities alone: what is not in the bounding set is lost by the exec (capabilities(7)). */
const only = (...names: readonly string[]) => [
  "setpriv",
  `--bounding-set=-all${names.map((name) => `,+${name}`).join("")}`,
  "--",
];

async function availability(): Promise<Record<string, boolean>> {
  const { text } = await agent.get("/metrics");
  const lines = text.matchAll(/^pidward_feature_available\{feature="(\w+)"\} ([01])$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name, value === "1"]));
}

const sets: readonly (readonly [
  held: readonly string[],
  there: { readonly details: boolean; readonly ofOthers: boolean; readonly kill: boolean },
])[] = [
  [[], { details: false, ofOthers: false, kill: false }],
  [["sys_ptrace"], { details: true, ofOthers: false, kill: false }],
  [["sys_ptrace", "dac_read_search"], { details: true, ofOthers: true, kill: false }],
  [["sys_ptrace", "dac_read_search", "kill"], { details: true, ofOthers: true, kill: true }],
];

for (const [held, there] of sets) {
  testWith(
    parts,
    `root with ${held.join(", ") || "no capability"}: what /metrics says is so, and what is missing is refused`,
    async () => {
      const argv = ["sh", "-c", "sleep 100001 & wait"];
      const [rootApp, app] = [await containers.run({ argv }), await containers.run({ argv, user: "1000" })];
      await agent.start({
        engine: process.env.PIDWARD_TEST_ENGINE ?? "",
        wrapper: only(...held),
        args: ["--source=procfs", "--events.source=snapshot", "--scan.interval=200ms"],
      });
      await waitFor("the engine's word", async () => {
        const { json } = await agent.get("/readyz");
        return json.runtimes[0].available === true;
      });
      expect(await availability()).toMatchObject({
        process_basics: true,
        engine: true,
        process_details: there.details,
        process_details_other_users: there.ofOthers,
        managers: there.details,
        kill_other_users: there.kill,
        namespaces_driver: false,
        bpf: false,
        exit_events: false,
      });
      const processesOf = async ({ name }: { name: string }): Promise<readonly ProcessRecord[]> => {
        const { json } = await agent.get(`/api/v1/processes?selector=${name}`);
        expect(json.processes).toHaveLength(2);
        return json.processes;
      };
      const processes = await processesOf(app);
      for (const [some, isReadable] of [
        [await processesOf(rootApp), there.details],
        [processes, there.ofOthers],
      ] as const)
        for (const { readBytes } of some) expect(readBytes !== null).toBe(isReadable);
      const sleep = processes.find(({ name }) => name === "sleep");
      const killed = await agent.cli("kill", sleep?.ref ?? "");
      expect(killed.code).toBe(there.kill ? 0 : 4);
      for (const [feature, capability, isThere] of [
        ["process_details", "SYS_PTRACE", there.details],
        ["kill_other_users", "KILL", there.kill],
      ] as const) {
        const said = agent.stderr.split("\n").filter((line) => line.includes(`msg="${feature}: `));
        expect(said).toHaveLength(isThere ? 0 : 1);
        // In the words of wherever the tests run.
        for (const line of said)
          expect(line).toMatch(new RegExp(`needs CAP_${capability}" remedy=.*${capability}`));
      }
    },
    120_000,
  );
}
