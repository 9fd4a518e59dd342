import { kernelThreadFlag } from "../../model.ts";
import type { ProblemCollector } from "../problems.ts";
import type { FileReader, ReadFailure } from "./files.ts";
import type { GuardedReader } from "./guarded-reader.ts";
import { createHangs } from "./hangs.ts";
import { openFilesLimit } from "./limits.ts";
import { createSharedTexts } from "./shared-texts.ts";
import { parseStatus } from "./status.ts";

/** How much of a command line is kept: a container's processes could fill the agent's memory with long ones. */
const maxCommandBytes = 8 * 1024;
/** One container can make one reader hang, not one for each of its processes. */
const containerOf = /[0-9a-f]{64}/;
/** PF_EXITING of include/linux/sched.h */
const exitingFlag = 0x4;

/** One life of a process, with what changes seldom or never. */
export interface Life {
  readonly startTicks: number;
  name: string;
  command: readonly string[] | null;
  /** Text of /proc/PID/cgroup. */
  cgroup: string;
  /** Soft limit; NaN while unreadable or not asked for. */
  openFilesLimit: number;
  /** As `ProcessTable.containerPid`; -1 while unreadable or not asked for. */
  containerPid: number;
  /** How often it was updated, counted anew with each new name. */
  readonly sightings: number;
  /** Since all of it was read. */
  readonly hasRun: boolean;
  /** Its command line hung or was not tried: it is read as soon as it can be. */
  readonly owesCommand: boolean;
}

/**
 * For how long a life need not be updated while the source knows that its process has not changed: `none`, `untilTurn`
 * (its title may have changed since it was read) or `untilRun`. Small numbers, to be kept by the thousand.
 */
export const rests = { none: 0, untilTurn: 1, untilRun: 2 } as const;

/** One of `rests`. A young life is looked at once more, and one of which something is not known again and again. */
export function restOf(life: Life): number {
  if (life.sightings < 2 || life.cgroup === "" || life.owesCommand) return rests.none;
  return life.hasRun ? rests.untilTurn : rests.untilRun;
}

/** A process as a scan just saw it. */
export interface Sighting {
  readonly pid: number;
  readonly startTicks: number;
  /** Character code of the state's letter. */
  readonly state: number;
  readonly flags: number;
  /** Where `comm` is; it may be overwritten after the call. */
  readonly bytes: Buffer;
  readonly commFrom: number;
  readonly commEnd: number;
  /** Changes when the process moves to another cgroup; 0 where the source cannot tell. */
  readonly cgroupKey: number;
}

/** One object that is filled for each process anew: a new one for each and each scan would be a good part of its cost. */
export function createSighting(): { -readonly [K in keyof Sighting]: Sighting[K] } {
  return {
    pid: 0,
    startTicks: 0,
    state: 0,
    flags: 0,
    bytes: Buffer.alloc(0),
    commFrom: 0,
    commEnd: 0,
    cgroupKey: 0,
  };
}

export interface LivesParts {
  readonly root: string;
  readonly reader: FileReader;
  readonly commands: Pick<GuardedReader, "read" | "isHanging">;
  readonly problems: () => ProblemCollector;
  /** After so many scans what can change unseen is read again: titles, and cgroups without a key. */
  readonly rereadEvery: number;
  readonly needsLimits: boolean;
  readonly needsContainerPid: boolean;
  /** Whether a text that was read is that of the process's cgroup; asked where the source gives keys. */
  readonly isOwnCgroup?: (text: string) => boolean;
}

/** Remembers lives by PID. A PID with another start time is a new life. */
export interface Lives {
  /** The life of a process just seen, its seldom facts fresh enough. */
  update(sighting: Sighting, scan: number): Life;
  /** Whether this scan is the process's turn: what can change unseen is read again. */
  isTurn(pid: number, scan: number): boolean;
  /** How many files have been read so far. */
  readonly filesRead: number;
  /**
   * Forgets those that this scan did not see.
   * @param rested PIDs of those that it saw and did not update, as `rests` allows; ascending
   */
  sweep(scan: number, rested?: Int32Array): void;
}

const noPids = new Int32Array(0);

interface RememberedLife extends Life {
  /** The bytes of `comm`, to see a change without making a string. */
  comm: Buffer;
  cgroupKey: number;
  sightings: number;
  hasRun: boolean;
  owesCommand: boolean;
  /** In which it was updated. */
  lastScan: number;
}

export function createLives(parts: LivesParts): Lives {
  const { root, reader, problems } = parts;
  const byPid = new Map<number, RememberedLife>();
  const texts = createSharedTexts();
  let filesRead = 0;
  const read = (pid: number, name: string): number | ReadFailure => {
    filesRead++;
    return reader.read(`${root}/${pid}/${name}`);
  };
  const report = (failure: ReadFailure, name: string): undefined => {
    if (failure === "gone") return undefined;
    problems().add(failure, `/proc/PID/${name}`, `the kernel refused to give ${name}`);
    return undefined;
  };
  const readText = (pid: number, name: string): string | undefined => {
    const length = read(pid, name);
    return typeof length === "number" ? reader.bytes.toString("utf8", 0, length) : report(length, name);
  };
  const commandPath = (pid: number): string => `${root}/${pid}/cmdline`;
  const hangs = createHangs((pid) => parts.commands.isHanging(commandPath(pid)), parts.rereadEvery);
  const readCommand = (life: RememberedLife, pid: number): readonly string[] | null => {
    const holder = holderOf(life, pid);
    life.owesCommand = true;
    if (!hangs.mayRead(holder, life.lastScan)) return null;
    filesRead++;
    const bytes = parts.commands.read(commandPath(pid), maxCommandBytes);
    if (bytes === "late" || bytes === "busy") {
      if (bytes === "late") hangs.note(holder, pid, life.lastScan);
      problems().add(
        "unreadable",
        "/proc/PID/cmdline",
        "reading it hangs: something holds the process's memory",
      );
      return null;
    }
    life.owesCommand = false;
    if (typeof bytes === "string") return report(bytes, "cmdline") ?? null;
    return texts.shareCommand(bytes);
  };
  const readContainerPid = (pid: number): number => {
    const length = read(pid, "status");
    if (typeof length === "string") return report(length, "status") ?? -1;
    const { innermostPid } = parseStatus(reader.bytes, length);
    return Number.isNaN(innermostPid) ? -1 : innermostPid;
  };
  const readCgroup = (life: RememberedLife, { pid, flags, cgroupKey }: Sighting): void => {
    const isSame = life.cgroup !== "" && life.cgroupKey === cgroupKey;
    // v1 hierarchies have "/" for a process that is ending, wherever it was (proc_cgroup_show() of the kernel).
    if (isSame && (flags & exitingFlag) !== 0) return;
    // Empty where the process was gone before its file was read.
    const text = readText(pid, "cgroup") ?? "";
    const isOwn = text !== "" && (cgroupKey === 0 || parts.isOwnCgroup?.(text) !== false);
    if (isOwn) life.cgroup = texts.share(text);
    else if (!isSame) life.cgroup = "";
    life.cgroupKey = cgroupKey;
  };
  const refresh = (life: RememberedLife, sighting: Sighting): void => {
    const { pid, state, flags, cgroupKey } = sighting;
    life.hasRun = false;
    if (cgroupKey === 0 || life.cgroup === "") readCgroup(life, sighting);
    // The PID inside is given at birth and never changes.
    if (parts.needsContainerPid && life.containerPid === -1) {
      life.containerPid = readContainerPid(pid);
      // As with the command line below: what could not be read has its turn again.
      if (life.containerPid === -1) life.hasRun = true;
    }
    const hasMemory = (flags & kernelThreadFlag) === 0 && state !== "Z".charCodeAt(0);
    if (!hasMemory) {
      life.command = [];
      life.owesCommand = false;
      return;
    }
    // The command line is read from the process's memory under its lock: one that hangs in the kernel can hold it.
    if (state === "D".charCodeAt(0)) life.sightings = 1;
    else {
      const command = readCommand(life, pid);
      if (command === null) life.hasRun = true;
      else life.command = command;
    }
    if (parts.needsLimits) life.openFilesLimit = openFilesLimit(readText(pid, "limits") ?? "");
  };
  const isTurn = (pid: number, scan: number): boolean => (scan + pid) % parts.rereadEvery === 0;
  /** In this scan. */
  let updated = 0;
  return {
    isTurn,
    get filesRead() {
      return filesRead;
    },
    update: (sighting, scan) => {
      const { pid, startTicks, bytes, commFrom, commEnd } = sighting;
      let life = byPid.get(pid);
      if (life === undefined || life.startTicks !== startTicks) {
        life = newLife(startTicks);
        byPid.set(pid, life);
      }
      const renamed = life.sightings === 0 || !sameBytes(life.comm, bytes, commFrom, commEnd);
      if (renamed) {
        const comm = bytes.subarray(commFrom, commEnd);
        life.name = texts.share(comm.toString("utf8"));
        life.comm = texts.shareComm(life.name, comm);
        // execve(2) gives the name before the command line is there, which is empty in between: looked at again, as of a young one.
        life.sightings = 0;
      }
      life.sightings++;
      if (life.lastScan !== scan) updated++;
      life.lastScan = scan;
      life.hasRun = true;
      const canPay = life.owesCommand && hangs.mayRead(holderOf(life, pid), scan);
      // The second look catches what a young process does after its start: join a cgroup, set its title.
      if (renamed || life.sightings === 2 || canPay || isTurn(pid, scan)) refresh(life, sighting);
      if (life.cgroupKey !== sighting.cgroupKey) readCgroup(life, sighting);
      return life;
    },
    sweep: (scan, rested = noPids) => {
      hangs.sweep(scan);
      const isAnyGone = byPid.size !== updated + rested.length;
      updated = 0;
      if (isAnyGone) {
        for (const [pid, life] of byPid)
          if (life.lastScan !== scan && !includesSorted(rested, pid)) byPid.delete(pid);
      }
      texts.sweep(byPid);
    },
  };
}

/** A Set of thousands, made at each scan in which something ended, would be a good part of it. */
function includesSorted(ascending: Int32Array, value: number): boolean {
  let from = 0;
  let end = ascending.length;
  while (from < end) {
    const middle = (from + end) >> 1;
    if ((ascending[middle] ?? 0) < value) from = middle + 1;
    else end = middle;
  }
  return ascending[from] === value;
}

function holderOf(life: Life, pid: number): string {
  return containerOf.test(life.cgroup) ? life.cgroup : String(pid);
}

const noComm = Buffer.alloc(0);

function newLife(startTicks: number): RememberedLife {
  return {
    startTicks,
    comm: noComm,
    name: "",
    command: null,
    cgroup: "",
    cgroupKey: 0,
    openFilesLimit: Number.NaN,
    containerPid: -1,
    sightings: 0,
    lastScan: 0,
    hasRun: true,
    owesCommand: false,
  };
}

function sameBytes(known: Buffer, bytes: Buffer, from: number, end: number): boolean {
  if (known.length !== end - from) return false;
  for (let index = 0; index < known.length; index++) if (known[index] !== bytes[from + index]) return false;
  return true;
}
