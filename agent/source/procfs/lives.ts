import type { ProblemCollector } from "../problems.ts";
import type { FileReader, ReadFailure } from "./files.ts";
import { openFilesLimit } from "./limits.ts";
import type { Stat } from "./stat.ts";
import { parseStrings } from "./strings.ts";

/** How much of a command line is kept: a container's processes could fill the agent's memory with long ones. */
const maxCommandBytes = 8 * 1024;
/** Every so many scans what hardly changes is read again: processes move between cgroups and rename themselves. */
const rereadEvery = 60;
const PF_KTHREAD = 0x00200000;

/** One life of a process, with what changes seldom or never. */
export interface Life {
  readonly startTicks: number;
  /** The bytes of `comm`, to see a change without making a string. */
  comm: Buffer;
  name: string;
  command: readonly string[] | null;
  cgroup: string;
  /** Soft limit; NaN while unreadable. */
  openFilesLimit: number;
  sightings: number;
  lastScan: number;
}

/** Remembers lives by PID. A PID with another start time is a new life. */
export interface Lives {
  /** The life of a process just read, its seldom facts fresh enough. */
  update(stat: Stat, statBytes: Buffer, scan: number): Life;
  /** Forgets those that this scan did not see. */
  sweep(scan: number): void;
}

export function createLives(procRoot: string, reader: FileReader, problems: () => ProblemCollector): Lives {
  const byPid = new Map<number, Life>();
  // Equal texts are one string: thousands of processes share a few cgroups.
  let texts = new Map<string, string>();
  const shared = (text: string): string => {
    const known = texts.get(text);
    if (known !== undefined) return known;
    texts.set(text, text);
    return text;
  };
  const report = (failure: ReadFailure, name: string): undefined => {
    if (failure === "gone") return undefined;
    problems().add(failure, `/proc/PID/${name}`, `the kernel refused to give ${name}`);
    return undefined;
  };
  const readText = (pid: number, name: string): string | undefined => {
    const length = reader.read(`${procRoot}/${pid}/${name}`);
    return typeof length === "number" ? reader.bytes.toString("utf8", 0, length) : report(length, name);
  };
  const readCommand = (pid: number): readonly string[] | null => {
    const length = reader.read(`${procRoot}/${pid}/cmdline`);
    if (typeof length === "string") return report(length, "cmdline") ?? null;
    return parseStrings(reader.bytes, Math.min(length, maxCommandBytes));
  };
  const refresh = (life: Life, stat: Stat): void => {
    life.cgroup = shared(readText(stat.pid, "cgroup") ?? life.cgroup);
    const hasMemory = (stat.flags & PF_KTHREAD) === 0 && stat.state !== "Z".charCodeAt(0);
    if (!hasMemory) {
      life.command = [];
      return;
    }
    // The command line is read from the process's memory under its lock: one that hangs in the kernel can hold it.
    if (stat.state === "D".charCodeAt(0)) life.sightings = 1;
    else life.command = readCommand(stat.pid) ?? life.command;
    life.openFilesLimit = openFilesLimit(readText(stat.pid, "limits") ?? "");
  };
  return {
    update: (stat, statBytes, scan) => {
      const comm = statBytes.subarray(stat.commFrom, stat.commEnd);
      let life = byPid.get(stat.pid);
      const isNew = life === undefined || life.startTicks !== stat.startTicks;
      const renamed = isNew || life === undefined || !life.comm.equals(comm);
      if (isNew || life === undefined) {
        life = {
          startTicks: stat.startTicks,
          comm: Buffer.from(comm),
          name: "",
          command: null,
          cgroup: "",
          openFilesLimit: Number.NaN,
          sightings: 0,
          lastScan: scan,
        };
        byPid.set(stat.pid, life);
      }
      if (renamed) {
        // Copied first: the bytes are the reader's, and the next read overwrites them.
        life.comm = Buffer.from(comm);
        life.name = shared(life.comm.toString("utf8"));
      }
      life.sightings++;
      life.lastScan = scan;
      // The second look catches what a young process does after its start: join a cgroup, set its title.
      if (renamed || life.sightings === 2 || (scan + stat.pid) % rereadEvery === 0) refresh(life, stat);
      return life;
    },
    sweep: (scan) => {
      for (const [pid, life] of byPid) if (life.lastScan !== scan) byPid.delete(pid);
      if (texts.size > 2 * byPid.size + 1000) {
        texts = new Map();
        for (const life of byPid.values()) {
          life.name = shared(life.name);
          life.cgroup = shared(life.cgroup);
        }
      }
    },
  };
}
