/** The nouns. Everything here is a value: no behaviour beyond writing and reading a ref. */

/** One life of a PID. `startTicks` is field 22 of /proc/PID/stat (proc_pid_stat(5)), in ticks since boot. */
export interface ProcessRef {
  readonly pid: number;
  readonly startTicks: number;
}

export function formatRef(ref: ProcessRef): string {
  return `${ref.pid}@${ref.startTicks}`;
}

/** Reads `4242@183746`; undefined when the text is no ref. */
export function parseRef(text: string): ProcessRef | undefined {
  const match = /^([1-9]\d{0,9})@(\d{1,15})$/.exec(text);
  if (match === null) return undefined;
  return { pid: Number(match[1]), startTicks: Number(match[2]) };
}

/**
 * The processes of one scan as columns: index i of every column is the same process, in ascending order of PID.
 * In Float64Array columns NaN says that the figure could not be read (no rights, or the kernel has it not).
 * Counters count from the start of the process. Threads are summed into their process where the kernel does so.
 */
export interface ProcessTable {
  readonly length: number;
  readonly pid: Int32Array;
  /** Ticks since boot, as in `ProcessRef`. */
  readonly startTicks: Float64Array;
  readonly parentPid: Int32Array;
  /** PID in the innermost PID namespace; 0 where the process has only the host's PID, -1 where unreadable. */
  readonly containerPid: Int32Array;
  /** The kernel's state letter as a character code: R S D Z T t I X …  */
  readonly state: Uint8Array;
  /** PF_* flags of the kernel (include/linux/sched.h), field 9 of stat. */
  readonly flags: Uint32Array;
  /** Effective user id as the reader's user namespace sees it; NaN when unreadable. */
  readonly userId: Float64Array;
  readonly threads: Int32Array;
  readonly userSeconds: Float64Array;
  readonly systemSeconds: Float64Array;
  readonly residentBytes: Float64Array;
  readonly virtualBytes: Float64Array;
  readonly swapBytes: Float64Array;
  readonly minorFaults: Float64Array;
  readonly majorFaults: Float64Array;
  readonly voluntarySwitches: Float64Array;
  readonly involuntarySwitches: Float64Array;
  /** Bytes fetched from and sent to the storage layer (`read_bytes`, `write_bytes` of /proc/PID/io). */
  readonly readBytes: Float64Array;
  readonly writtenBytes: Float64Array;
  readonly openFiles: Float64Array;
  /** Soft limit of open files; Infinity for "unlimited". */
  readonly openFilesLimit: Float64Array;
  /** `comm`; bytes that are not UTF-8 become U+FFFD. The strings are shared between scans. */
  readonly name: readonly string[];
  /** The argument vector; empty for kernel threads and zombies, null where unreadable. Shared between scans. */
  readonly command: readonly (readonly string[] | null)[];
  /** Text in the form of /proc/PID/cgroup (cgroups(7)); empty where unreadable. Shared between scans. */
  readonly cgroup: readonly string[];
}

/** The columns that only grow during the life of a process. */
export const counterColumns = [
  "userSeconds",
  "systemSeconds",
  "readBytes",
  "writtenBytes",
  "voluntarySwitches",
  "involuntarySwitches",
  "minorFaults",
  "majorFaults",
] as const satisfies readonly (keyof ProcessTable)[];

/** What a process used in its life. */
export type Usage = Readonly<Record<(typeof counterColumns)[number], number>>;

/** PF_KTHREAD of include/linux/sched.h: the process is a thread of the kernel. */
export const kernelThreadFlag = 0x00200000;

/** What could not be read, where, why and how often in one scan. */
export interface Problem {
  readonly kind: "refused" | "unreadable" | "malformed";
  /** The file or part, with `PID` in the number's place: `/proc/PID/io`. */
  readonly where: string;
  readonly reason: string;
  readonly count: number;
}

export type ContainerState =
  | "created"
  | "running"
  | "paused"
  | "restarting"
  | "removing"
  | "exited"
  | "dead"
  | "unknown";

export const containerStates = [
  "created",
  "running",
  "paused",
  "restarting",
  "removing",
  "exited",
  "dead",
  "unknown",
] as const satisfies readonly ContainerState[];

export interface Container {
  /** As the runtime writes it: 64 hex digits with Docker; other runtimes have other forms. */
  readonly id: string;
  /** `docker`, `podman`, `containerd`, `cri-o`, `lxc`, …; null while only a path hints at it and names none. */
  readonly runtime: string | null;
  /** Null while no runtime has told it; `containerLabel` gives the text to show. */
  readonly name: string | null;
  readonly image: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: ContainerState;
  /** Host PID of the container's first process; null when it does not run or is not known. */
  readonly initPid: number | null;
  /** Milliseconds since the epoch. */
  readonly createdAt: number | null;
  /** Milliseconds since the epoch. */
  readonly startedAt: number | null;
  /** What its health check says: `healthy`, `unhealthy`, `starting`; null when it has none or no runtime tells. */
  readonly health: string | null;
  /** Restarts by the runtime's restart policy since the container was made. */
  readonly restartCount: number | null;
  /** Of the last run; null while running or unknown. */
  readonly exitCode: number | null;
  readonly oomKilled: boolean;
  /** `no`, `always`, `unless-stopped`, `on-failure`; null when unknown. */
  readonly restartPolicy: string | null;
  /** A runtime has confirmed the id. What no runtime knows is shown, but not acted upon. */
  readonly known: boolean;
}

/** The name to show and to label with: the container's name, else the first 12 characters of its id. */
export function containerLabel(container: Pick<Container, "id" | "name">): string {
  return container.name ?? container.id.slice(0, 12);
}

/**
 * The sums of one program: the processes of one name group in one container (container null: the host's own).
 * Counters never fall while the program is remembered, whatever its members do.
 */
export interface ProgramTotals {
  /** Index into `Snapshot.containers`; -1 for the host. */
  readonly container: number;
  readonly name: string;
  readonly processes: number;
  readonly threads: number;
  readonly userSeconds: number;
  readonly systemSeconds: number;
  readonly cpuCores: number;
  readonly residentBytes: number;
  readonly virtualBytes: number;
  /** Gauges and counters below are NaN while no member's figure could be read. */
  readonly swapBytes: number;
  readonly openFiles: number;
  /** Highest openFiles / openFilesLimit of a member, 0–1. */
  readonly openFilesWorstRatio: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  readonly minorFaults: number;
  readonly majorFaults: number;
  /** Members per state, in the order of `processStates`. */
  readonly byState: readonly number[];
  /** Seconds since the epoch; NaN without members. */
  readonly oldestStartSeconds: number;
  /** Members that have ended, in the order of `exitReasons`. */
  readonly exits: readonly number[];
  /** Members that have started since the agent's first scan. */
  readonly starts: number;
}

/** How processes end; `unknown` where only their absence was noticed. */
export const exitReasons = ["exit_0", "exit_nonzero", "signal", "oom", "unknown"] as const;
export type ExitReason = (typeof exitReasons)[number];

/** The plain words for the kernel's state letters (proc_pid_stat(5), field 3). */
export const processStates = [
  "running",
  "sleeping",
  "uninterruptible",
  "stopped",
  "traced",
  "zombie",
  "idle",
  "dead",
  "other",
] as const;
export type ProcessState = (typeof processStates)[number];

const stateOfLetter: Readonly<Record<string, ProcessState>> = {
  R: "running",
  S: "sleeping",
  D: "uninterruptible",
  T: "stopped",
  t: "traced",
  Z: "zombie",
  I: "idle",
  X: "dead",
  x: "dead",
};

/** @param letter character code of the kernel's letter */
export function processState(letter: number): ProcessState {
  return stateOfLetter[String.fromCharCode(letter)] ?? "other";
}

/** What a process manager in a container says of one of its programs, as last asked. */
export interface ManagedState {
  /** Index into `Snapshot.containers`. */
  readonly container: number;
  /** `supervisord`, `s6`, `runit`, `systemd`. */
  readonly manager: string;
  readonly name: string;
  /** In the manager's own words: `RUNNING`, `FATAL`, `down`. */
  readonly state: string;
  readonly condition: ProgramCondition;
  /** Host PID of its main process; null while there is none. */
  readonly pid: number | null;
  readonly remark: string | null;
}

/**
 * What a manager's word for a state comes down to: it runs; it does not and is not meant to; it is on its way up or
 * down; it is meant to run and does not.
 */
export type ProgramCondition = "running" | "stopped" | "changing" | "failed";

/** One look at the host, immutable; every reader shares it. */
export interface Snapshot {
  /** Milliseconds since the epoch, at the end of the scan. */
  readonly takenAt: number;
  /** From the scan's beginning to its end, waiting included. */
  readonly scanSeconds: number;
  readonly table: ProcessTable;
  readonly rowByPid: Pick<ReadonlyMap<number, number>, "get" | "has">;
  /** CPU seconds per second since the last scan, by row; NaN for a process seen for the first time. */
  readonly cpuCores: Float64Array;
  /** Row → index into `containers`, -1 for the host's own. */
  readonly containerOf: Int32Array;
  /** Row → index into `programs`. */
  readonly programOf: Int32Array;
  readonly containers: readonly Container[];
  readonly programs: readonly ProgramTotals[];
  /** Programs of process managers, those without a process too. */
  readonly managed: readonly ManagedState[];
  readonly problems: readonly Problem[];
}

/** Facts of the kernel that turn its units into ours. */
export interface KernelUnits {
  /** Seconds since the epoch at boot (`btime` of /proc/stat), read once so that start times do not move. */
  readonly bootSeconds: number;
  readonly ticksPerSecond: number;
  readonly pageBytes: number;
}

/** Milliseconds since the epoch at which a process started. */
export function startedAtMs(startTicks: number, units: KernelUnits): number {
  return Math.round((units.bootSeconds + startTicks / units.ticksPerSecond) * 1000);
}

/** A process as something to act on: one life, with what the guard wants to know of it. */
export interface TargetProcess {
  readonly ref: ProcessRef;
  readonly name: string;
  readonly parentPid: number;
  readonly kernelThread: boolean;
  /** What it is shown under; null: the host's own. */
  readonly container: Container | null;
  /**
   * The container that a runtime answers for: the outermost one when containers are nested. Null when no runtime
   * knows any of them.
   */
  readonly authority: Container | null;
  readonly program: string;
  /** It is the first process of its container. */
  readonly init: boolean;
}

/** What a selector names, ready to be acted upon. */
export interface Targets {
  readonly selector: string;
  readonly kind: "process" | "program" | "container";
  readonly container: Container | null;
  /** Null for a whole container. */
  readonly program: string | null;
  /** The process; of a program those nearest to the container's init; of a container its init. May be empty. */
  readonly processes: readonly TargetProcess[];
  /** All below those, parents first, of the same container. */
  readonly descendants: readonly TargetProcess[];
}
