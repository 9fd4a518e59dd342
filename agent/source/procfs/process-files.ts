import { readlinkSync } from "node:fs";
import type { ResourceLimit } from "../../api.ts";
import { AgentError } from "../../errors.ts";
import { createFileReader, failureOf } from "./files.ts";
import { insideId, parseIdMap } from "./id-map.ts";
import { parseLimits } from "./limits.ts";
import { type Privileges, parsePrivileges } from "./privileges.ts";
import { parseStat } from "./stat.ts";
import { parseStatus } from "./status.ts";
import { parseStrings } from "./strings.ts";
import { createThreadReader } from "./thread-reader.ts";

/** Ids as the process's own user namespace numbers them. */
export interface InsideIds {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/**
 * Reads of one process, now: for what is about to act and for people who look at one. Each gives undefined when the
 * process is gone, and throws AgentError: `no_rights` when the file is refused, `unavailable` when reading it hangs.
 */
export interface ProcessFiles {
  readonly readStat: (pid: number) => { readonly startTicks: number; readonly state: number } | undefined;
  readonly readCommand: (pid: number) => readonly string[] | undefined;
  readonly readEnviron: (pid: number) => readonly string[] | undefined;
  readonly readLimits: (pid: number) => readonly ResourceLimit[] | undefined;
  readonly readIds: (pid: number) => InsideIds | undefined;
  /** What the link says: the working directory, the root, or a namespace as `mnt:[4026531841]`. */
  readonly readLink: (pid: number, name: LinkName) => string | undefined;
  readonly readNice: (pid: number) => number | undefined;
  readonly readCgroup: (pid: number) => string | undefined;
  readonly readPrivileges: (pid: number) => Privileges | undefined;
  /** How much sooner or later than others the kernel ends it for want of memory, -1000 to 1000. */
  readonly readOomScoreAdjust: (pid: number) => number | undefined;
  /** The label of a security module (AppArmor, SELinux); empty where there is none. */
  readonly readSecurityLabel: (pid: number) => string | undefined;
}

export type LinkName =
  | "cwd"
  | "root"
  | "fd/1"
  | "fd/2"
  | "ns/cgroup"
  | "ns/ipc"
  | "ns/mnt"
  | "ns/net"
  | "ns/pid"
  | "ns/time"
  | "ns/user"
  | "ns/uts";

/** Arguments and environment of a process together are below this (ARG_MAX, execve(2)). */
const maxBytes = 8 << 20;

export function createProcessFiles(procRoot: string, guarded = createThreadReader()): ProcessFiles {
  const read = (pid: number, name: string): Buffer | undefined => {
    const path = `${procRoot}/${pid}/${name}`;
    const files = createFileReader(maxBytes);
    const length = files.read(path);
    if (length === "gone") return undefined;
    if (typeof length === "string") throw refusal(path);
    return files.bytes.subarray(0, length);
  };
  const readText = (pid: number, name: string): string | undefined => read(pid, name)?.toString("utf8");
  const readStrings = (pid: number, name: string): readonly string[] | undefined => {
    const path = `${procRoot}/${pid}/${name}`;
    const bytes = guarded.read(path, maxBytes);
    if (bytes === "gone") return undefined;
    if (bytes === "late" || bytes === "busy")
      throw new AgentError("unavailable", `reading ${path} hangs: something holds the process's memory`);
    if (typeof bytes === "string") throw refusal(path);
    return parseStrings(bytes, bytes.length);
  };
  return {
    readStat: (pid) => {
      const bytes = read(pid, "stat");
      return bytes && parseStat(bytes, bytes.length);
    },
    readCommand: (pid) => readStrings(pid, "cmdline"),
    readEnviron: (pid) => readStrings(pid, "environ"),
    readLimits: (pid) => {
      const text = readText(pid, "limits");
      return text === undefined ? undefined : parseLimits(text);
    },
    readIds: (pid) => {
      const bytes = read(pid, "status");
      const users = readText(pid, "uid_map");
      const groups = readText(pid, "gid_map");
      if (bytes === undefined || users === undefined || groups === undefined) return undefined;
      const status = parseStatus(bytes, bytes.length);
      const groupMap = parseIdMap(groups);
      return {
        uid: insideId(status.userId, parseIdMap(users)) ?? status.userId,
        gid: insideId(status.groupId, groupMap) ?? status.groupId,
        groups: status.groups.map((gid) => insideId(gid, groupMap) ?? gid),
      };
    },
    readNice: (pid) => {
      const bytes = read(pid, "stat");
      return bytes && parseStat(bytes, bytes.length)?.nice;
    },
    readLink: (pid, name) => {
      const path = `${procRoot}/${pid}/${name}`;
      try {
        return readlinkSync(path);
      } catch (error) {
        if (failureOf(error) === "gone") return undefined;
        throw refusal(path);
      }
    },
    readCgroup: (pid) => readText(pid, "cgroup"),
    readPrivileges: (pid) => {
      const text = readText(pid, "status");
      return text === undefined ? undefined : parsePrivileges(text);
    },
    readOomScoreAdjust: (pid) => {
      const text = readText(pid, "oom_score_adj");
      return text === undefined ? undefined : Number(text);
    },
    readSecurityLabel: (pid) => {
      const files = createFileReader(maxBytes);
      const length = files.read(`${procRoot}/${pid}/attr/current`);
      // Without a security module the file is there, and reading it is EINVAL.
      if (length === "unreadable") return "";
      if (length === "gone") return undefined;
      if (length === "refused") throw refusal(`${procRoot}/${pid}/attr/current`);
      return files.bytes.toString("utf8", 0, length).replace(/[\0\n]+$/u, "");
    },
  };
}

function refusal(path: string): AgentError {
  return new AgentError("no_rights", `${path} may not be read; that needs root or CAP_SYS_PTRACE`);
}
