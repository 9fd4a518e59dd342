/**
 * The shapes that the API answers with and the command line prints (`--json` is the same shape).
 * http/schemas.ts describes them once more as schemas, and the compiler holds the two together.
 * A field that could not be read is null. Times are ISO 8601, sizes bytes, spans seconds.
 */
import type { ContainerState, ExitReason, Problem, ProcessState, ProgramCondition } from "./model.ts";

export interface CpuSeconds {
  readonly user: number;
  readonly system: number;
}

export interface ProcessRecord {
  /** `pid@startTicks`: names one life of a PID. */
  readonly ref: string;
  readonly pid: number;
  readonly startTicks: number;
  readonly startedAt: string;
  readonly parentPid: number;
  /** PID inside the container; null where the process has only the host's PID. */
  readonly containerPid: number | null;
  readonly name: string;
  readonly command: readonly string[] | null;
  readonly state: ProcessState;
  readonly user: { readonly id: number; readonly name: string | null } | null;
  readonly container: ContainerName | null;
  readonly program: string;
  readonly cpuSeconds: CpuSeconds;
  /** CPU seconds per second between the last two scans; null for a process seen once. */
  readonly cpuCores: number | null;
  readonly residentBytes: number;
  readonly virtualBytes: number;
  readonly swapBytes: number | null;
  readonly threads: number;
  readonly openFiles: number | null;
  /** Soft limit; null when unlimited or unreadable. */
  readonly openFilesLimit: number | null;
  readonly readBytes: number | null;
  readonly writtenBytes: number | null;
}

export interface ContainerName {
  readonly id: string;
  readonly name: string;
  readonly image: string | null;
  readonly runtime: string | null;
}

export interface ProcessList {
  readonly takenAt: string;
  /** How many fit the query before `limit` cut the list. */
  readonly total: number;
  readonly processes: readonly ProcessRecord[];
  /** Programs of process managers that fit the query's container and program; none when it asks for more. */
  readonly managed: readonly ManagedRecord[];
}

export interface ProcessName {
  readonly ref: string;
  readonly name: string;
}

export interface ProcessDetail extends ProcessRecord {
  /** From the parent up to PID 1. */
  readonly ancestors: readonly ProcessName[];
  readonly children: readonly ProcessName[];
  /** /proc/PID/limits; null when unreadable. */
  readonly limits: readonly ResourceLimit[] | null;
  readonly faults: { readonly minor: number | null; readonly major: number | null };
  readonly contextSwitches: { readonly voluntary: number | null; readonly involuntary: number | null };
  /** Share of one CPU right now, in percent, over a moment's sample; null when it cannot be sampled. */
  readonly cpuPercentNow: number | null;
  /** Of a zombie: who does not reap it, and what would help; null for all others. */
  readonly zombieOf: ZombieParent | null;
  /** What its process manager says of its program; null where it has none. */
  readonly managed: ManagedRecord | null;
  /** What `restart` would do, or why it would not. */
  readonly restart: RestartOutlook;
}

/** The parent of a process that has ended and that it has not waited for (wait(2)): only its entry is left. */
export interface ZombieParent {
  readonly ref: string;
  readonly name: string;
  /** What would remove the entry, in words. */
  readonly hint: string;
}

export interface ResourceLimit {
  /** As the kernel writes it: `Max open files`. */
  readonly name: string;
  /** Null: unlimited. */
  readonly soft: number | null;
  readonly hard: number | null;
  readonly unit: string | null;
}

export interface RestartOutlook {
  readonly driver: DriverName | null;
  /** The plan, or the reason why there is none. */
  readonly plan: string;
}

export interface ProgramRecord {
  readonly name: string;
  readonly processes: number;
  readonly threads: number;
  readonly cpuSeconds: CpuSeconds;
  readonly cpuCores: number | null;
  readonly residentBytes: number;
  readonly openFiles: number | null;
  readonly startedAt: string | null;
}

/** A container's own accounting, from its cgroup. Null: the kernel or the rights do not give it. */
export interface ContainerResources {
  readonly cpuSeconds: CpuSeconds | null;
  readonly cpuSecondsTotal: number | null;
  readonly throttledSeconds: number | null;
  /** CPUs that it may use at most; null: no limit. */
  readonly cpuLimitCores: number | null;
  readonly memoryBytes: number | null;
  /** Memory without inactive page cache, as the kubelet counts it. */
  readonly memoryWorkingSetBytes: number | null;
  /** Null: no limit. */
  readonly memoryLimitBytes: number | null;
  readonly pids: number | null;
  /** Null: no limit. */
  readonly pidsLimit: number | null;
  readonly readBytes: number | null;
  readonly writtenBytes: number | null;
}

/** A program of a process manager in a container, also one without a process. */
export interface ManagedRecord {
  readonly container: ContainerName;
  readonly program: string;
  /** `supervisord`, `s6`, `runit`, `systemd`. */
  readonly manager: string;
  /** In the manager's own words: `RUNNING`, `FATAL`, `down`. */
  readonly state: string;
  readonly condition: ProgramCondition;
  /** Host PID of its main process; null while there is none. */
  readonly pid: number | null;
  readonly remark: string | null;
}

export interface ContainerRecord extends ContainerName {
  readonly state: ContainerState;
  /** False: only a cgroup path hints at it; no runtime knows the id, and pidward does not act on it. */
  readonly known: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly initPid: number | null;
  readonly startedAt: string | null;
  readonly restartCount: number | null;
  readonly restartPolicy: string | null;
  readonly exitCode: number | null;
  readonly oomKilled: boolean;
  readonly processes: number;
  readonly zombies: number;
  /** Sum over its processes, CPU seconds per second. */
  readonly cpuCores: number;
  readonly resources: ContainerResources | null;
  readonly programs: readonly ProgramRecord[];
  /** What the process managers in it say, some seconds old at the most. */
  readonly managed: readonly ManagedRecord[];
}

export interface ContainerList {
  readonly takenAt: string;
  readonly total: number;
  readonly containers: readonly ContainerRecord[];
}

export interface RuntimeRecord {
  readonly name: string;
  readonly endpoint: string;
  readonly available: boolean;
  readonly version: string | null;
  readonly reason: string | null;
}

/** The answer of /readyz. */
export interface Readiness {
  readonly ready: boolean;
  /** Null when it is ready. */
  readonly reason: string | null;
  readonly snapshotAgeSeconds: number | null;
  readonly runtimes: readonly RuntimeRecord[];
}

export interface HostReport {
  readonly version: string;
  readonly takenAt: string | null;
  readonly source: string;
  /** Why it is procfs although BPF would be better, or BPF in a slower way; null when it is neither, or was asked for. */
  readonly sourceReason: string | null;
  readonly events: {
    /** How ends of processes are learned: `bpf`, `connector` or `snapshot`. */
    readonly source: string;
    /** Why it is not BPF; null when it is, or was asked for. */
    readonly reason: string | null;
    /** Ends that could not be told. */
    readonly lost: number;
  };
  readonly cgroupVersion: "v1" | "v2" | "hybrid" | "none";
  readonly runtimes: readonly RuntimeRecord[];
  readonly processes: number;
  readonly containers: number;
  readonly problems: readonly Problem[];
  /** Each part is null when it could not be read. */
  readonly facts: HostFacts;
}

export interface HostFacts {
  readonly hostname: string;
  readonly os: {
    readonly distribution: string;
    readonly release: string;
    readonly kernel: string;
    readonly arch: string;
  } | null;
  readonly cpus: number;
  readonly uptimeSeconds: number;
  readonly load: {
    readonly one: number;
    readonly five: number;
    readonly fifteen: number;
    /** Share of all CPUs in use since the last look, 0–100. */
    readonly cpuPercent: number | null;
  };
  readonly memory: {
    readonly totalBytes: number;
    readonly availableBytes: number;
    readonly swapTotalBytes: number;
    readonly swapFreeBytes: number;
  } | null;
  readonly disks:
    | readonly {
        readonly device: string;
        readonly mountpoint: string;
        readonly type: string;
        readonly sizeBytes: number;
        readonly usedBytes: number;
      }[]
    | null;
  readonly network:
    | readonly {
        readonly interface: string;
        readonly receivedBytes: number;
        readonly sentBytes: number;
      }[]
    | null;
}

export const signalOutcomes = ["sent", "exited", "killed", "gone", "zombie"] as const;
/**
 * `sent`: it has not ended so far; `exited` after the signal; `killed`: KILL after the grace; `gone`: was not there any
 * more; `zombie`: had ended before and its parent has not reaped it, so that no signal changes anything.
 */
export type SignalOutcome = (typeof signalOutcomes)[number];

export interface SignalRequest {
  readonly selector: string;
  /** `TERM`, `SIGTERM`, `15`; TERM when left out. */
  readonly signal?: string | undefined;
  /** Wait so long for the end, then KILL; with `stop` of a container the engine does. 10 for a label's stop command. */
  readonly graceSeconds?: number | undefined;
  readonly tree?: boolean | undefined;
  /** Without it a selector that fits several processes is `ambiguous`. */
  readonly all?: boolean | undefined;
  /** Wait for the end, without KILL. */
  readonly wait?: boolean | undefined;
  /** Of `wait` and `stop`; 30 when left out. */
  readonly timeoutSeconds?: number | undefined;
  /** Send no signal: ask the process manager, the label's stop command, or for a container's init the engine, to stop it. */
  readonly stop?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

export interface SignalTarget {
  readonly ref: string;
  readonly name: string;
  /** Null in a dry run. */
  readonly outcome: SignalOutcome | null;
  /** What will or may start it again, as far as is known: `supervisord (4210)`. */
  readonly respawnedBy: string | null;
  /** `possible`: it depends on a setting that is not known here. Null without `respawnedBy`. */
  readonly respawn: "certain" | "possible" | null;
  /** With `stop`: who is asked to stop it. */
  readonly stoppedBy: string | null;
  /** With the outcome `zombie`: who does not reap it. */
  readonly zombieOf: ZombieParent | null;
}

export interface SignalAnswer {
  readonly action: "signal";
  /** Null with `stop`: who stops it chooses the signal. */
  readonly signal: string | null;
  readonly dryRun: boolean;
  readonly targets: readonly SignalTarget[];
  /** What else there is to know, in words. */
  readonly warnings: readonly string[];
}

export const driverNames = [
  "supervisord",
  "s6",
  "runit",
  "systemd",
  "label",
  "container",
  "respawn",
  "namespaces",
] as const;
export type DriverName = (typeof driverNames)[number];

export interface RestartRequest {
  readonly selector: string;
  readonly driver?: DriverName | undefined;
  readonly settleSeconds?: number | undefined;
  readonly dryRun?: boolean | undefined;
}

export interface RestartAnswer {
  readonly action: "restart";
  readonly driver: DriverName;
  readonly plan: string;
  /** What the new process will not have of the old one, and other doubts. */
  readonly warnings: readonly string[];
  readonly dryRun: boolean;
  readonly old: readonly string[];
  readonly new: readonly string[];
  readonly seconds: number;
}

/** A command to run inside a container: an argument vector, no shell. */
export interface ExecRequest {
  /** Name or id prefix. */
  readonly container: string;
  readonly argv: readonly string[];
  /** `name`, `uid` or `uid:gid`; the container's own when left out. */
  readonly user?: string | undefined;
  /** Absolute path in the container; the container's own when left out. */
  readonly workdir?: string | undefined;
  /** Added to the container's own environment: name → value. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** What the command reads; without it /dev/null. */
  readonly stdin?: string | undefined;
  /** `utf8` when left out. */
  readonly stdinEncoding?: ByteEncoding | undefined;
  /** After so long the command is ended; 60 when left out. */
  readonly timeoutSeconds?: number | undefined;
  /** Of stdout and of stderr: what writes more is ended; 1 MiB when left out. */
  readonly maxOutputBytes?: number | undefined;
}

export const byteEncodings = ["utf8", "base64"] as const;
export type ByteEncoding = (typeof byteEncodings)[number];

export interface ExecAnswer {
  /** 126 or 127 also when it could not be started: stderr then says why. Null when the engine has forgotten it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Of both: base64 as soon as one is not UTF-8. */
  readonly encoding: ByteEncoding;
  /** It wrote more than `maxOutputBytes`: what is here is the beginning, and the command was ended. */
  readonly truncated: boolean;
  /** It ran longer than `timeoutSeconds` and was ended. */
  readonly timedOut: boolean;
}

/** The query of GET /api/v1/attach: a command with a terminal of its own. */
export interface AttachQuery {
  readonly container: string;
  readonly argv: readonly string[];
  readonly user?: string | undefined;
  readonly workdir?: string | undefined;
  /** `NAME=value` each. */
  readonly env?: readonly string[] | undefined;
  /** Size of the terminal in cells; 80 and 24 when left out. */
  readonly cols?: number | undefined;
  readonly rows?: number | undefined;
}

/** Text messages to an attached terminal; its bytes are binary messages, both ways. */
export interface AttachOrder {
  readonly type: "resize";
  readonly cols: number;
  readonly rows: number;
}

/** The last text message from an attached terminal: how the command ended, or why the session did. */
export type AttachNotice = AttachExit | AttachError;

export interface AttachExit {
  readonly type: "exit";
  /** Null when the engine has forgotten it: the container has ended. */
  readonly exitCode: number | null;
}

/** A problem document, but for its `type`. */
export interface AttachError {
  readonly type: "error";
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}

/** Who asks, as far as the kernel vouches for it (SO_PEERCRED of unix(7)); null where it does not. */
export interface Actor {
  readonly uid: number | null;
  readonly gid: number | null;
  readonly pid: number | null;
  /** Name of the uid on the host, or the user whom a token or a certificate names. */
  readonly user: string | null;
  /** The listener: `unix:///run/pidward/pidward.sock`. */
  readonly from: string;
}

export const auditActions = ["signal", "restart", "exec", "attach"] as const;
export type AuditAction = (typeof auditActions)[number];

export interface AuditRecord {
  readonly time: string;
  /** Joins the intent with its outcome. */
  readonly id: string;
  readonly phase: "intent" | "outcome" | "unfinished";
  readonly actor: Actor | null;
  readonly action: AuditAction;
  readonly selector: string;
  readonly refs: readonly string[];
  /** The container's id. */
  readonly container: string | null;
  /** What it was called at that time. */
  readonly containerName: string | null;
  /** Signal name, driver name, or who was asked to stop it. */
  readonly how: string | null;
  /** The command of `exec` and `attach`; arguments that look like secrets are masked unless `--redact=false`. */
  readonly argv?: readonly string[] | undefined;
  /** Of an outcome: `done`, or the error's code. */
  readonly outcome: string | null;
  /** Of the command of `exec` and `attach`, with its outcome; null for all else, and when the engine has forgotten it. */
  readonly exitCode: number | null;
  readonly message: string | null;
}

export interface AuditTail {
  readonly records: readonly AuditRecord[];
}

/** The query of GET /api/v1/audit; every given field narrows it. */
export interface AuditQuery {
  /** The last so many that fit; 100 when left out. */
  readonly limit?: number | undefined;
  /** Container name or id prefix. */
  readonly container?: string | undefined;
  /** User name or uid. */
  readonly user?: string | undefined;
  readonly action?: AuditAction | undefined;
  /** Server-sent events: the last ones, then those to come. */
  readonly follow?: boolean | undefined;
}

/** One line of `doctor`: what the host gives, or what is missing and how to give it. */
export interface Finding {
  readonly subject: string;
  readonly level: "ok" | "info" | "warning" | "missing";
  readonly message: string;
  /** How to give what is missing; null when nothing is. */
  readonly remedy: string | null;
}

/** application/problem+json (RFC 9457) with the catalogue's code. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly [fact: string]: unknown;
}

export const eventTypes = ["started", "exited", "restarted", "container"] as const;
export type EventType = (typeof eventTypes)[number];

/** Something that happened. Ids ascend within a run of the agent: `m3x9k2-17`. */
export type EventRecord = StartedEvent | ExitedEvent | RestartedEvent | ContainerEvent;

interface EventBase {
  readonly id: string;
  readonly time: string;
  readonly container: ContainerName | null;
}

/** A scan has seen a process for the first time; told a scan or two later while its container or its name is not settled. */
export interface StartedEvent extends EventBase {
  readonly type: "started";
  readonly ref: string;
  readonly pid: number;
  readonly name: string;
  readonly program: string;
  readonly parentPid: number;
  readonly command: readonly string[] | null;
}

/** A process has ended; those that no scan has seen have only this event. Null: `--events.source` does not tell. */
export interface ExitedEvent extends EventBase {
  readonly type: "exited";
  readonly ref: string | null;
  readonly pid: number;
  readonly name: string;
  readonly program: string;
  readonly parentPid: number | null;
  readonly reason: ExitReason;
  readonly exitCode: number | null;
  /** `SIGKILL`; null when it ended by itself. */
  readonly signal: string | null;
  readonly oomKilled: boolean | null;
  readonly lifetimeSeconds: number | null;
  readonly cpuSeconds: CpuSeconds | null;
}

/** pidward has restarted something. */
export interface RestartedEvent extends EventBase {
  readonly type: "restarted";
  readonly program: string | null;
  readonly driver: DriverName;
  readonly old: readonly string[];
  readonly new: readonly string[];
  readonly seconds: number;
}

/** A container has appeared, changed its state or gone. */
export interface ContainerEvent extends EventBase {
  readonly type: "container";
  readonly state: ContainerState | "removed";
  /** Null: it was not there before. */
  readonly previousState: ContainerState | null;
  readonly exitCode: number | null;
  readonly oomKilled: boolean;
}

/** The query of GET /api/v1/events. */
export interface EventQuery {
  /** Container name or id prefix. */
  readonly container?: string | undefined;
  readonly program?: string | undefined;
  readonly type?: EventType | undefined;
  /** So many of the remembered ones first, the last. */
  readonly last?: number | undefined;
  /** False: end when these have been told. */
  readonly follow?: boolean | undefined;
}

/** What `sort=` and `--sort` take. Names ascend and figures descend unless `order` says otherwise. */
export const processSorts = [
  "pid",
  "name",
  "container",
  "program",
  "user",
  "state",
  "cpu",
  "cpu-time",
  "rss",
  "virtual",
  "swap",
  "threads",
  "open-files",
  "read",
  "written",
  "started",
] as const;
export type ProcessSort = (typeof processSorts)[number];

/** The query of GET /api/v1/processes; every given field narrows the list. */
export interface ProcessQuery {
  readonly selector?: string | undefined;
  /** Container name or id prefix. */
  readonly container?: string | undefined;
  readonly program?: string | undefined;
  /** Process name (comm), exactly. */
  readonly name?: string | undefined;
  /** User name or id. */
  readonly user?: string | undefined;
  readonly state?: ProcessState | undefined;
  readonly sort?: ProcessSort | undefined;
  readonly order?: "asc" | "desc" | undefined;
  /** From 1; all when left out. */
  readonly limit?: number | undefined;
}
