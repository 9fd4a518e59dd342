// A program of its own, started by namespace-start.ts: starts one process in the namespaces and cgroups of a container.
// It is one since setns(2) of PID and mount namespaces changes a process for good, and since what a hostile container may
// get hold of must have nothing that counts: it has an empty environment, no descriptor of the host's when it starts the
// process, and its executable is on a mount that nobody can write through (/proc/PID/exe, CVE-2019-5736).
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeSync,
} from "node:fs";
import os from "node:os";
import { AgentError, reasonOf, systemCode } from "../errors.ts";
import { startProgram } from "../exec.ts";
import { loadNamespaceCalls, type NamespaceCalls, unlimited } from "../namespace-calls.ts";
import { loadSyscalls } from "../syscalls.ts";
import type { EntryOrder, EntryReport } from "./entry-order.ts";

const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
/** Major and minor number of /dev/null in st_rdev, makedev(3). */
const nullDevice = (1 << 8) | 3;

/**
 * Limits on memory (include/uapi/asm-generic/resource.h). Below this they are put on the new process only: Node has more of
 * it already, and would end in the middle of what is left to do.
 */
const RLIMIT_DATA = 2;
const RLIMIT_AS = 9;
const leastMemoryBytes = 16 * 2 ** 30;

/** All that has to be opened while the host's files can be reached. */
interface Opened {
  readonly namespaces: readonly {
    readonly kind: EntryOrder["namespaces"][number]["kind"];
    readonly fd: number;
  }[];
  /** cgroup.procs to write to; of each hierarchy the first that takes the process. */
  readonly cgroups: readonly (readonly { readonly file: string; readonly fd: number }[])[];
  /** The container's own /dev/null: the host's could be changed by who holds it (fchmod). */
  readonly nullFd: number;
}

/** What is read of the old process while it lives. */
interface Read {
  readonly cpus: Buffer;
  readonly filter: Buffer | undefined;
}

function report(message: EntryReport): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

/** Reads from standard input up to a line break; undefined when it ends before: the agent is gone or has changed its mind. */
function readLine(): string | undefined {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.alloc(64 * 1024);
    const length = readSync(0, chunk, 0, chunk.length, null);
    if (length === 0) return undefined;
    chunks.push(chunk.subarray(0, length));
    if (chunk[length - 1] === 10) return Buffer.concat(chunks).toString("utf8");
  }
}

/**
 * Closes what the agent was started with and has handed on unknowingly. In the container, a folder of the host among it
 * would be a way out (CVE-2024-21626). What this process has opened itself is closed by execve(2).
 */
function closeInherited(): void {
  for (const name of readdirSync("/proc/self/fd")) {
    const fd = Number(name);
    const flags = fd > 2 ? fdFlags(fd) : undefined;
    if (flags !== undefined && (flags & O_CLOEXEC) === 0) closeSync(fd);
  }
}

/** Undefined for the descriptor by which the folder itself was read. */
function fdFlags(fd: number): number | undefined {
  try {
    const text = readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
    return Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(text)?.[1] ?? "0", 8);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function openAll(order: EntryOrder): Promise<Opened> {
  const initFolder = `${order.procRoot}/${order.initPid}`;
  const namespaces = order.namespaces.map(({ kind, inode }) => {
    const fd = openSync(`${initFolder}/ns/${kind}`, "r");
    if (fstatSync(fd).ino !== inode)
      throw new AgentError("failed", `the container's init ${order.initPid} has ended meanwhile`);
    return { kind, fd };
  });
  const cgroups = order.cgroups.map((folders) =>
    folders.map((folder) => ({ file: folder, fd: openSync(`${folder}/cgroup.procs`, "w") })),
  );
  return { namespaces, cgroups, nullFd: await openNull(initFolder) };
}

/** Looked at before it is opened: a container can put anything in its place, and opening some devices has effects. */
async function openNull(initFolder: string): Promise<number> {
  const syscalls = await loadSyscalls();
  const rootFd = openSync(`${initFolder}/root`, O_PATH | constants.O_DIRECTORY);
  const pathFd = syscalls.openInRoot(rootFd, "/dev/null", O_PATH);
  closeSync(rootFd);
  const stat = pathFd === undefined ? undefined : fstatSync(pathFd);
  if (pathFd === undefined || !stat?.isCharacterDevice() || stat.rdev !== nullDevice)
    throw new AgentError("failed", "the container has no /dev/null, or another device or file in its place");
  const fd = openSync(`/proc/self/fd/${pathFd}`, constants.O_RDWR | constants.O_NOCTTY);
  closeSync(pathFd);
  return fd;
}

/** Moves this process; the new one is then born there. */
function joinCgroups(opened: Opened): void {
  for (const doors of opened.cgroups) {
    const refusals: string[] = [];
    for (const { file, fd } of doors) {
      try {
        writeSync(fd, "0\n");
        refusals.length = 0;
        break;
      } catch (error) {
        refusals.push(`${file}: ${reasonOf(error)}`);
      }
    }
    if (refusals.length > 0)
      throw new AgentError("failed", `no cgroup can be joined: ${refusals.join("; ")}`);
  }
  for (const { fd } of opened.cgroups.flat()) closeSync(fd);
}

/** From here on no file is opened: it would be the container's. */
function enter(opened: Opened, calls: NamespaceCalls): void {
  calls.ownFolders();
  for (const { kind, fd } of opened.namespaces) calls.enter(kind, fd);
  for (const { fd } of opened.namespaces) closeSync(fd);
}

/** What an unprivileged agent is refused here has been announced by the plan: namespaceLosses. */
function attempt(act: () => void): void {
  try {
    act();
  } catch (error) {
    // A SystemError of node:os has another code than those of node:fs, but the same errno.
    const errno = error instanceof Error && "errno" in error ? Math.abs(Number(error.errno)) : 0;
    const { EACCES, EPERM } = os.constants.errno;
    if (errno !== EACCES && errno !== EPERM) throw error;
  }
}

function takeOver(order: EntryOrder, calls: NamespaceCalls, { cpus, filter }: Read): void {
  calls.setAffinity(cpus);
  process.umask(order.umask);
  attempt(() => os.setPriority(order.nice));
  for (const [resource, { soft, hard }] of order.limits.entries())
    if (!isTight(resource, soft)) calls.setLimit(0, resource, toLimit(soft), toLimit(hard));
    // Only now can the hard one be raised.
    else if (!isTight(resource, hard)) calls.setLimit(0, resource, toLimit(hard), toLimit(hard));
  calls.leaveKeyring();
  // Without no_new_privs a filter needs the rights that go now; with it, it comes last and hinders nothing.
  if (filter !== undefined && !order.noNewPrivileges) calls.applySeccompFilter(filter);
  const bounding = BigInt(`0x${order.bounding}`);
  const ambient = BigInt(`0x${order.ambient}`) & bounding;
  calls.boundCapabilities(bounding);
  calls.keepCapabilities();
  process.setgroups?.([...order.groups]);
  process.setgid?.(order.gid);
  process.setuid?.(order.uid);
  // Of root the next program has all that is bounded; of others the ambient ones (capabilities(7), execve).
  calls.setCapabilities({
    permitted: order.uid === 0 ? bounding : ambient,
    inheritable: BigInt(`0x${order.inheritable}`) & bounding,
    ambient,
  });
  if (!order.noNewPrivileges) return;
  calls.forbidNewPrivileges();
  if (filter !== undefined) calls.applySeccompFilter(filter);
}

const toLimit = (value: number | null): bigint => (value === null ? unlimited : BigInt(value));

function isTight(resource: number, limit: number | null): boolean {
  return (resource === RLIMIT_DATA || resource === RLIMIT_AS) && limit !== null && limit < leastMemoryBytes;
}

/** The new process has these moments after its start. One that cannot have them is ended: it is not the like of the old. */
function limitMemory(pid: number, order: EntryOrder, calls: NamespaceCalls): void {
  try {
    for (const [resource, { soft, hard }] of order.limits.entries())
      if (isTight(resource, soft)) calls.setLimit(pid, resource, toLimit(soft), toLimit(hard));
  } catch (error) {
    // It is this process's child, so the number is still its own.
    process.kill(pid, "SIGKILL");
    throw error;
  }
}

function start(order: EntryOrder, nullFd: number, calls: NamespaceCalls): void {
  const [file = "", ...args] = order.argv;
  const child = startProgram({
    file,
    argv0: file,
    args,
    env: order.env,
    workdir: order.workdir,
    stdio: [nullFd, nullFd, nullFd],
    detached: true,
  });
  const { pid } = child;
  // Already known here: spawn(2) of libuv waits for the new process's execve(2).
  if (pid !== undefined) {
    limitMemory(pid, order, calls);
    end({ kind: "started", pid });
  }
  child.once("error", (error) =>
    end({ kind: "failed", message: `${JSON.stringify(file)} could not be started: ${reasonOf(error)}` }),
  );
}

function end(message: EntryReport): never {
  report(message);
  process.exit();
}

async function main(): Promise<void> {
  // For the moment that it is in the container's cgroup it is one of the container's processes.
  process.title = "pidward-start";
  const calls = loadNamespaceCalls();
  calls.hide();
  closeInherited();
  const text = readLine();
  if (text === undefined) return;
  const order: EntryOrder = JSON.parse(text);
  const read: Read = {
    cpus: calls.readAffinity(order.oldPid),
    filter: order.seccomp ? calls.readSeccompFilter(order.oldPid) : undefined,
  };
  const oomFd = openSync("/proc/self/oom_score_adj", "w");
  const opened = await openAll(order);
  report({ kind: "ready" });
  if (readLine() === undefined) return;
  attempt(() => writeSync(oomFd, String(order.oomScoreAdjust)));
  closeSync(oomFd);
  joinCgroups(opened);
  enter(opened, calls);
  takeOver(order, calls, read);
  start(order, opened.nullFd, calls);
}

main().catch((error: unknown) => end({ kind: "failed", message: reasonOf(error) }));
