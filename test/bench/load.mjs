// Sleeping processes in cgroups that look like containers, made and cleaned up.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import path from "node:path";

/** Where processes are told apart by container: v2's tree, or v1's memory controller. */
const mount = existsSync("/sys/fs/cgroup/cgroup.controllers") ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";

/**
 * @param program the built load.c
 * @returns the cgroups' folders, and what ends the processes and removes those
 */
export async function startLoad(program, processes, containers) {
  const root = path.join(mount, `pidward-bench-${process.pid}`);
  const docker = path.join(root, "docker");
  mkdirSync(docker, { recursive: true });
  const groups = Array.from({ length: containers }, (_, index) =>
    path.join(docker, createHash("sha256").update(String(index)).digest("hex")),
  );
  for (const group of groups) mkdirSync(group);
  const child = spawn(program, [String(processes)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  child.stdin.write(`${groups.map((group) => `${group}/cgroup.procs`).join("\n")}\n\n`);
  const stop = async () => {
    child.stdin.end();
    await ended;
    for (const folder of [...groups, docker, root]) await removeCgroup(folder);
  };
  const said = await Promise.race([once(child.stdout, "data"), ended]);
  if (!String(said[0]).startsWith("ready")) {
    await stop();
    throw new Error("the load did not start");
  }
  return { stop, groups };
}

/** The kernel lets go of a cgroup some moments after its last process. */
async function removeCgroup(folder) {
  for (let tries = 0; ; tries++) {
    try {
      rmdirSync(folder);
      return;
    } catch (error) {
      if (error.code === "ENOENT") return;
      if (tries > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
