import { closeSync, openSync, readFileSync, readSync, statfsSync } from "node:fs";
import { systemCode } from "../../errors.ts";
import { openFilesLimit } from "../procfs/limits.ts";
import { type CgroupLayout, cgroupFolder } from "./layout.ts";

/** Of include/uapi/linux/magic.h. Only there does a descriptor tell that its file is gone (ENODEV). */
const CGROUP_SUPER_MAGIC = 0x27e0eb;
const CGROUP2_SUPER_MAGIC = 0x63677270;

/** The kernel holds 4 KiB for each that has been read. */
const mostKept = 4096;
/** The rest of what the agent may open is for connections, and for processes' files. */
const shareOfLimit = 1 / 4;
/** A file that a cgroup has not is looked for again after so many rounds: controllers are switched on later, too. */
const absentRounds = 12;
/** More of one file is left out: it is text that the kernel makes of a few figures. */
const mostBytes = 64 * 1024;

/**
 * The files of cgroups, round after round. What is read in each round stays open, opening costs more than reading, and
 * is only parsed when it has changed.
 */
export interface KeptFiles {
  /**
   * Undefined where there is no such file, or it may not be read.
   * @param controller of v1; the unified hierarchy has none
   * @param parse the same for each file of a name; it is not asked while the text is the same
   */
  parsed<T>(
    controller: string | undefined,
    path: string,
    name: string,
    parse: (text: string) => T,
  ): T | undefined;
  /**
   * A number that stays while the cgroup's files do, which are gone with their cgroup. Undefined when none of those that
   * are held was read in this round.
   */
  lifeOf(path: string): number | undefined;
  /** The text of what is read so seldom that it is not kept open. */
  textOnce(controller: string | undefined, path: string, name: string): string | undefined;
  /** Ends a round: closes the files of the cgroups of which it has read none. */
  sweep(): void;
}

/** A file of a cgroup: open, with what it said last and what that means; or not to be had. */
type Kept = Open | { readonly absentIn: number };

interface Open {
  readonly fd: number;
  /** Undefined before it is parsed. */
  last: { readonly bytes: Buffer; readonly parse: unknown; readonly value: unknown } | undefined;
}

interface KeptCgroup {
  /** By name, which begins with the controller's. */
  readonly files: Map<string, Kept>;
  readIn: number;
  /** The round in which a file was read that had been open before. */
  heldIn: number;
  /** Another one with each file that is opened. */
  life: number;
}

/**
 * @param readText a whole file; undefined when there is none or it may not be read
 * @param most descriptors that may be held
 */
export function createKeptFiles(
  layout: CgroupLayout,
  readText: (file: string) => string | undefined,
  most = mostDescriptors(),
): KeptFiles {
  const byPath = new Map<string, KeptCgroup>();
  const bytes = Buffer.allocUnsafeSlow(mostBytes);
  let round = 0;
  let open = 0;
  let lives = 0;
  /** By the folder below the root at which a hierarchy is mounted. */
  const known = new Map<string, boolean>();
  const isCgroupfs = (hierarchy: string): boolean => {
    let is = known.get(hierarchy);
    if (is === undefined) {
      is = isMountOfCgroups(`${layout.root}/${hierarchy}`);
      known.set(hierarchy, is);
    }
    return is;
  };
  const textOnce = (controller: string | undefined, path: string, name: string): string | undefined => {
    const folder = cgroupFolder(layout, controller, path);
    return folder === undefined ? undefined : readText(`${folder}/${name}`);
  };
  /** Undefined when its cgroup is gone, or it cannot be read. */
  const readKept = <T>(kept: Open, parse: (text: string) => T): { readonly value: T } | undefined => {
    const length = readBytes(kept.fd, bytes);
    if (length === undefined) return undefined;
    const { last } = kept;
    if (last?.parse === parse && last.bytes.compare(bytes, 0, length) === 0)
      return last as { readonly value: T };
    const fresh = {
      bytes: Buffer.from(bytes.subarray(0, length)),
      parse,
      value: parse(bytes.toString("latin1", 0, length)),
    };
    kept.last = fresh;
    return fresh;
  };
  const close = (kept: Kept): void => {
    if (!("fd" in kept)) return;
    open--;
    closeSync(kept.fd);
  };
  const openOne = <T>(
    files: KeptCgroup["files"],
    folder: string,
    name: string,
    parse: (text: string) => T,
  ): T | undefined => {
    const fd = openCgroupFile(`${folder}/${name}`);
    // Too many are open: it is tried again the next time.
    if (fd === "full") return undefined;
    if (fd !== "none") {
      const kept: Open = { fd, last: undefined };
      open++;
      files.set(name, kept);
      const read = readKept(kept, parse);
      if (read !== undefined) return read.value;
      close(kept);
    }
    files.set(name, { absentIn: round });
    return undefined;
  };
  return {
    textOnce,
    lifeOf: (path) => {
      const cgroup = byPath.get(path);
      return cgroup?.heldIn === round ? cgroup.life : undefined;
    },
    parsed: (controller, path, name, parse) => {
      let cgroup = byPath.get(path);
      if (cgroup === undefined) {
        cgroup = { files: new Map(), readIn: round, heldIn: -1, life: ++lives };
        byPath.set(path, cgroup);
      }
      cgroup.readIn = round;
      const kept = cgroup.files.get(name);
      if (kept !== undefined) {
        if ("fd" in kept) {
          const read = readKept(kept, parse);
          if (read !== undefined) {
            cgroup.heldIn = round;
            return read.value;
          }
        } else if (round - kept.absentIn < absentRounds) return undefined;
        close(kept);
        cgroup.files.delete(name);
      }
      const folder = cgroupFolder(layout, controller, path);
      if (folder === undefined || open >= most || !isCgroupfs(controller ?? "")) {
        const text = textOnce(controller, path, name);
        return text === undefined ? undefined : parse(text);
      }
      cgroup.life = ++lives;
      return openOne(cgroup.files, folder, name, parse);
    },
    sweep: () => {
      for (const [path, { files, readIn }] of byPath) {
        if (readIn === round) continue;
        files.forEach(close);
        byPath.delete(path);
      }
      round++;
    },
  };
}

/** @returns how many bytes; undefined when they cannot be read */
function readBytes(fd: number, bytes: Buffer): number | undefined {
  try {
    return readSync(fd, bytes, 0, bytes.length, 0);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

function openCgroupFile(file: string): number | "none" | "full" {
  try {
    return openSync(file, "r");
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    return code === "EMFILE" || code === "ENFILE" || code === "ENOMEM" ? "full" : "none";
  }
}

function isMountOfCgroups(folder: string): boolean {
  try {
    const { type } = statfsSync(folder);
    return type === CGROUP_SUPER_MAGIC || type === CGROUP2_SUPER_MAGIC;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false;
  }
}

/** Node has put the soft limit of its process up to the hard one. */
function mostDescriptors(): number {
  const limit = openFilesLimit(readFileSync("/proc/self/limits", "utf8"));
  return Math.min(mostKept, Math.floor((Number.isNaN(limit) ? 1024 : limit) * shareOfLimit));
}
