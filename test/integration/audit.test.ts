import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import type { AuditRecord } from "../../agent/api.ts";
import { TestAgent } from "../support/agent.ts";
import { isAlive } from "../support/host-process.ts";
import { withProcess } from "../support/programs.ts";
import { noteStarted } from "../support/started.ts";
import { waitFor } from "../support/wait-for.ts";

/** Each starts an agent and runs the command line several times. */
const limitMs = 60_000;

const isRoot = process.geteuid?.() === 0;
const asRoot = isRoot ? test : test.skip;
const reason = isRoot ? "" : " [not run: mounting needs root]";

/** An agent that may act upon the tests' own processes. */
async function withAgent(args: readonly string[], use: (agent: TestAgent) => Promise<void>): Promise<void> {
  const agent = new TestAgent();
  try {
    await agent.start({ args: ["--control.allow-host", "--scan.interval=200ms", ...args] });
    await use(agent);
  } finally {
    await agent.remove();
  }
}

/** A disk of 64 KiB. */
async function withDisk(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-disk-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], {
    encoding: "utf8",
  });
  try {
    expect(mounted.stderr).toBe("");
    await use(folder);
  } finally {
    spawnSync("umount", ["-l", folder]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Takes all pages that are left. */
function fill(folder: string): void {
  const page = Buffer.alloc(4096, "x");
  try {
    for (;;) writeFileSync(path.join(folder, "filler"), page, { flag: "a" });
  } catch (error) {
    expect(error).toMatchObject({ code: "ENOSPC" });
  }
}

async function kill(agent: TestAgent, pid: number, ...args: readonly string[]) {
  return waitFor("the process to be seen", async () => {
    const result = await agent.cli("kill", String(pid), ...args);
    return result.code === 3 ? undefined : result;
  });
}

const recordsIn = (file: string): readonly AuditRecord[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

asRoot(
  `a full disk refuses the act, keeps whole records, and is over when there is room again${reason}`,
  () =>
    withDisk((disk) =>
      withProcess(["sleep", "424242"], async (pid) => {
        const file = path.join(disk, "audit.jsonl");
        await withAgent([`--audit.file=${file}`], async (agent) => {
          expect(await kill(agent, pid, "--signal", "CONT")).toMatchObject({ code: 0 });
          fill(disk);
          // The rest of the file's last page takes some more; the record that does not fit takes its beginning.
          let refused = await kill(agent, pid, "--signal", "CONT");
          for (let tries = 0; refused.code === 0 && tries < 20; tries++)
            refused = await kill(agent, pid, "--signal", "CONT");
          expect(refused).toMatchObject({
            code: 7,
            stderr: expect.stringMatching(/ENOSPC.*--audit\.best-effort/s),
          });
          const size = statSync(file).size;
          expect(size % 4096).not.toBe(0);
          expect(readFileSync(file, "utf8").endsWith("}\n")).toBe(true);
          expect(await kill(agent, pid)).toMatchObject({ code: 7 });
          expect(statSync(file).size).toBe(size);
          expect(isAlive(pid)).toBe(true);
          const { text } = await agent.get("/metrics");
          const failures = Number(/^pidward_audit_write_failures_total (\d+)$/m.exec(text)?.[1]);
          expect(failures).toBeGreaterThanOrEqual(2);
          expect(agent.stderr).toMatch(/could not be written to the audit file.*SIGTERM/);
          rmSync(path.join(disk, "filler"));
          expect(await kill(agent, pid)).toMatchObject({ code: 0 });
          const records = recordsIn(file);
          expect(records.at(-1)).toMatchObject({ phase: "outcome", outcome: "done", how: "SIGTERM" });
          expect(records.at(-2)).toMatchObject({ phase: "intent", id: records.at(-1)?.id });
        });
      }),
    ),
  limitMs,
);

asRoot(
  `with best effort the act goes before its record, which is in the log then${reason}`,
  () =>
    withDisk((disk) =>
      withProcess(["sleep", "424242"], async (pid) => {
        fill(disk);
        const file = path.join(disk, "audit.jsonl");
        await withAgent([`--audit.file=${file}`, "--audit.best-effort"], async (agent) => {
          expect(await kill(agent, pid, "--wait")).toMatchObject({ code: 0 });
          expect(isAlive(pid)).toBe(false);
          const lines = agent.stderr.split("\n").filter((line) => line.includes("could not be written"));
          expect(lines).toHaveLength(2);
          expect(lines[0]).toMatch(/level=warn.*ENOSPC.*intent.*SIGTERM/);
          const { text } = await agent.get("/metrics");
          expect(text).toContain("pidward_audit_write_failures_total 2\n");
        });
      }),
    ),
  limitMs,
);

test(
  "a record says who did it: user, group and PID of the other end of the socket",
  () =>
    withProcess(["sleep", "424242"], async (pid) =>
      withAgent([], async (agent) => {
        // A group that is not the agent's own, where that can be had.
        const gid = isRoot ? 12345 : process.getegid?.();
        const child = spawn(
          process.execPath,
          [
            path.join(__dirname, "../../dist/main.js"),
            "kill",
            String(pid),
            "--signal=CONT",
            `--host=unix://${agent.socket}`,
          ],
          { ...(isRoot ? { gid } : {}), stdio: "ignore" },
        );
        const [code] = await once(child, "exit");
        expect(code).toBe(0);
        const uid = process.geteuid?.();
        expect(agent.audit()[0]?.actor).toMatchObject({
          uid,
          gid,
          pid: child.pid,
          ...(uid === 0 ? { user: "root" } : {}),
          from: `unix://${agent.socket}`,
        });
      }),
    ),
  limitMs,
);

test(
  "the audit is followed across rotations, and narrowed; unfinished acts of a killed agent are told",
  () =>
    withProcess(["sleep", "424242"], async (pid) => {
      const args = ["--audit.max-size=1KiB", "--audit.keep=100"];
      await withAgent(args, async (agent) => {
        const env = { ...process.env, PIDWARD_HOST: `unix://${agent.socket}` };
        const program = path.join(__dirname, "../../dist/main.js");
        const follower = spawn(
          process.execPath,
          [program, "audit", "--follow", "--json", "--action=signal"],
          {
            env,
          },
        );
        noteStarted(follower.pid ?? -1);
        const ended = once(follower, "exit");
        let told = "";
        follower.stdout.on("data", (chunk) => {
          told += chunk;
        });
        for (let count = 0; count < 5; count++) await kill(agent, pid, "--signal=CONT");
        await waitFor("ten records", () => told.trim().split("\n").length === 10);
        expect(existsSync(`${agent.auditFile}.3`)).toBe(true);
        const all = await agent.cli("audit", "--json", "--user", process.geteuid?.() === 0 ? "root" : "0");
        expect(JSON.parse(all.stdout).records).toEqual(
          told
            .trim()
            .split("\n")
            .map((line) => JSON.parse(line)),
        );
        expect(JSON.parse((await agent.cli("audit", "--json", "--action=exec")).stdout)).toEqual({
          records: [],
        });
        expect((await agent.cli("audit", "--action=sing")).code).toBe(2);

        const waiting = agent.post("/api/v1/signal", {
          selector: String(pid),
          signal: "CONT",
          wait: true,
          timeoutSeconds: 60,
        });
        const lost = waiting.catch((error: unknown) => error);
        await waitFor("the intent", () => told.trim().split("\n").length === 11);
        process.kill(agent.pid, "SIGKILL");
        await Promise.all([lost, ended, waitFor("its end", () => !existsSync(`/proc/${agent.pid}`))]);
        expect(follower.exitCode).not.toBe(null);
        await agent.start({ args: ["--control.allow-host", ...args] });
        expect(agent.stderr).toContain("an act was under way when the agent ended");
        const { records } = JSON.parse((await agent.cli("audit", "--json", "--limit=1")).stdout);
        expect(records).toMatchObject([{ phase: "unfinished", how: "SIGCONT" }]);
      });
    }),
  limitMs,
);
