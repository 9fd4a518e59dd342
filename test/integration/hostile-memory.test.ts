import { chmodSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, expect } from "@jest/globals";
import type { ProcessRecord } from "../../agent/api.ts";
import { TestAgent } from "../support/agent.ts";
import { makeManagersImage, managersImage } from "../support/manager-images.ts";
import { testWith } from "../support/test-with.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

// Processes whose memory cannot be read without waiting for a file system that they serve themselves.

const { agent, containers } = useEngine();
const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-hostile-"));
chmodSync(scratch, 0o755);
afterEach(() => containers.removeAll());
afterAll(() => rmSync(scratch, { recursive: true }));

const needs = ["docker", "busybox", "python", "supervisor", "s6", "runit", "tini"] as const;

async function runStuck(name: string) {
  await makeManagersImage(containers.docker);
  copyFileSync(path.join(__dirname, "../support/stuck-memory.py"), path.join(scratch, "main.py"));
  return containers.run({
    image: managersImage,
    argv: ["/usr/bin/python3", "/app/main.py", name],
    env: ["PATH=/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1"],
    host: {
      Binds: [`${scratch}:/app`],
      CapAdd: ["SYS_ADMIN"],
      SecurityOpt: ["seccomp=unconfined", "apparmor=unconfined"],
      Devices: [{ PathOnHost: "/dev/fuse", PathInContainer: "/dev/fuse", CgroupPermissions: "rwm" }],
    },
  });
}

testWith(
  needs,
  "a process whose memory lock is held for ever, so that reading its command line hangs, holds up neither scans nor answers nor acts on others",
  async () => {
    const good = await containers.run({
      argv: ["sh", "-c", "sleep 100000 & while true; do sleep 1; wait; done"],
    });
    const bad = await runStuck("innocent");
    const stuck: ProcessRecord = await waitFor(
      "its memory to be stuck",
      async () => {
        const { json } = await agent.get(`/api/v1/processes?container=${bad.name}`);
        return json.processes?.find((one: ProcessRecord) => one.name === "innocent");
      },
      30_000,
    );
    const takenAt = async (): Promise<string> => (await agent.get("/api/v1/processes?limit=1")).json.takenAt;
    const first = await takenAt();
    await waitFor("scans to go on", async () => (await takenAt()) !== first);
    expect((await agent.get("/metrics")).text).toMatch(
      /^pidward_scan_problems_total\{kind="unreadable"\} [1-9]/m,
    );
    const planned = await agent.post("/api/v1/restart", {
      selector: stuck.ref,
      driver: "respawn",
      dryRun: true,
    });
    expect(planned.json).toMatchObject({ status: 409, detail: expect.stringContaining("hangs") });

    const young = await containers.run({
      argv: ["sh", "-c", "sleep 100000 & while true; do sleep 1; wait; done"],
    });
    for (const { name } of [good, young]) {
      const found: ProcessRecord = await waitFor("the other's program", async () => {
        const { json } = await agent.get(`/api/v1/processes?selector=${name}/sleep`);
        return json.processes?.find((one: ProcessRecord) => one.command?.[1] === "100000");
      });
      expect((await agent.cli("kill", found.ref)).code).toBe(0);
    }

    const other = new TestAgent();
    await other.start();
    await waitFor("its reader to hang", async () =>
      /^pidward_scan_problems_total\{kind="unreadable"\} [1-9]/m.test((await other.get("/metrics")).text),
    );
    // Null: it had to be killed.
    expect(await other.stop()).toBe(0);
    await other.remove();
  },
  120_000,
);
