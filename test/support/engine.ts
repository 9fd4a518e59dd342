import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import Docker from "dockerode";
import { systemCode } from "../../agent/errors.ts";
import { noteStarted } from "./started.ts";
import { waitFor } from "./wait-for.ts";

/** A Docker Engine of the tests' own, beside whatever runs on the machine. */
export interface TestEngine {
  readonly socket: string;
  readonly docker: Docker;
  /** Ends the engine and keeps its data: `start` brings it back. Containers end with it. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Ends the engine as a crash does: containers go on, until the next `start` ends them. */
  crash(): Promise<void>;
  /** Ends it for good and removes all that it left: data, mounts, cgroups. */
  remove(): Promise<void>;
}

/** @throws Error with the end of the engine's log when it does not come up */
export async function startEngine(): Promise<TestEngine> {
  const root = mkdtempSync(path.join(os.tmpdir(), "pidward-dockerd-"));
  const socket = path.join(root, "docker.sock");
  const docker = new Docker({ host: "", socketPath: socket });
  const hadCgroup = new Set(
    cgroupFolders().flatMap((folder) => (existsSync(folder) ? [folder, ...childrenOf(folder)] : [])),
  );
  let daemon: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    daemon = spawnDaemon(root, socket);
    const { pid } = daemon;
    if (pid === undefined) throw new Error("dockerd could not be started");
    noteStarted(pid);
    try {
      await waitFor(
        "dockerd",
        async () => (await answers(docker)) || (daemon?.exitCode ?? null) !== null,
        60_000,
      );
      if (daemon.exitCode !== null) throw new Error(`dockerd exited with code ${daemon.exitCode}`);
    } catch (error) {
      await stop();
      throw new Error(`${error}\n${tail(path.join(root, "log"))}`);
    }
  };
  const stop = async (): Promise<void> => {
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = once(daemon, "exit");
    daemon.kill("SIGTERM");
    const late = setTimeout(() => daemon?.kill("SIGKILL"), 30_000);
    await ended;
    clearTimeout(late);
  };
  const crash = async (): Promise<void> => {
    if (daemon === undefined) return;
    const ended = once(daemon, "exit");
    daemon.kill("SIGKILL");
    await ended;
  };
  const remove = async (): Promise<void> => {
    await stop();
    for (const mount of mountsBelow(root).toReversed()) spawnSync("umount", ["-l", mount]);
    rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    for (const parent of cgroupFolders()) {
      for (const folder of childrenOf(parent)) if (!hadCgroup.has(folder)) await removeForgotten(folder);
      if (!hadCgroup.has(parent)) removeEmpty(parent);
    }
  };
  await start();
  return { socket, docker, start, stop, crash, remove };
}

/** In a network namespace of its own: a second engine would take down the first one's bridge. */
function spawnDaemon(root: string, socket: string): ChildProcess {
  const log = openSync(path.join(root, "log"), "a");
  const args = [
    "-n",
    "/usr/sbin/dockerd",
    `--data-root=${root}/data`,
    `--exec-root=${root}/exec`,
    `--pidfile=${root}/pid`,
    `--host=unix://${socket}`,
    "--bridge=none",
    "--iptables=false",
    "--ip-masq=false",
    "--log-level=warn",
  ];
  const daemon = spawn("unshare", args, { stdio: ["ignore", log, log] });
  closeSync(log);
  return daemon;
}

async function answers(docker: Docker): Promise<boolean> {
  try {
    await docker.ping();
    return true;
  } catch {
    return false;
  }
}

function tail(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(-15).join("\n") : "";
}

/** In the order in which they were mounted. */
function mountsBelow(root: string): readonly string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.map((line) => line.split(" ")[4] ?? "").filter((mount) => mount.startsWith(`${root}/`));
}

/** A parent cgroup for containers that are not to be in the engine's own. */
export const otherParent = "/pidward-test-parent";

/** The parent cgroups that the engine makes for its containers. */
function cgroupFolders(): readonly string[] {
  const base = "/sys/fs/cgroup";
  const hierarchies = existsSync(`${base}/cgroup.controllers`)
    ? [base]
    : readdirSync(base).map((name) => `${base}/${name}`);
  return hierarchies.flatMap((folder) => [`${folder}/docker`, `${folder}${otherParent}`]);
}

/** None where there is no such cgroup. */
function childrenOf(folder: string): readonly string[] {
  const entries = besideOthers(() => readdirSync(folder, { withFileTypes: true })) ?? [];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${folder}/${name}`);
}

/**
 * A container's cgroup that its engine has not removed, as after a crash. One in which a container is about to start, of
 * another test's engine, does not stay empty.
 */
async function removeForgotten(folder: string): Promise<void> {
  const changedMs = besideOthers(() => (isEmptyCgroup(folder) ? statSync(folder).mtimeMs : undefined));
  if (changedMs === undefined) return;
  await delay(Math.max(0, changedMs + 10_000 - Date.now()));
  removeEmpty(folder);
}

function removeEmpty(folder: string): void {
  besideOthers(() => isEmptyCgroup(folder) && rmdirSync(folder));
}

/** @throws the kernel's error for one that is not there */
function isEmptyCgroup(folder: string): boolean {
  return childrenOf(folder).length === 0 && readFileSync(`${folder}/cgroup.procs`, "utf8") === "";
}

/**
 * Engines of other tests make and remove their cgroups at the same time.
 * @returns undefined when a cgroup is gone, or in use again, between two looks
 */
function besideOthers<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (["ENOENT", "ENODEV", "EBUSY", "ENOTEMPTY"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}
