import { readFileSync } from "node:fs";
import os from "node:os";
import { systemCode } from "../../errors.ts";
import type { HostFiles } from "./host-files.ts";
import { isHostUts } from "./host-roots.ts";
import { zoneNameAt } from "./time-zone.ts";

/** uname(2) of the host. */
export interface Uname {
  readonly sysname: string;
  readonly release: string;
  readonly version: string;
  readonly machine: string;
  readonly nodename: string;
  readonly domainname: string;
}

/**
 * All but the names is the kernel's. The names are those of the reader's UTS namespace, and no file of /proc tells
 * another's: in a container with one of its own the host's name is what the host's /etc/hostname says (hostname(5)).
 * `--uts=host` gives the agent the real one, which counts on hosts that get theirs by DHCP.
 */
export function createUnameReader(files: HostFiles): () => Uname {
  const { proc, rootfs } = files.roots;
  const isOwn = isHostUts(proc);
  return () => ({
    sysname: os.type(),
    release: os.release(),
    version: os.version(),
    machine: os.machine(),
    nodename: (isOwn || rootfs === "" ? undefined : staticName(files)) ?? os.hostname(),
    domainname: files.read(`${proc}/sys/kernel/domainname`)?.trim() ?? "(none)",
  });
}

/** The first line that is no comment. */
function staticName(files: HostFiles): string | undefined {
  const lines = files.read(`${files.roots.rootfs}/etc/hostname`)?.split("\n") ?? [];
  return lines.map((line) => line.trim()).find((line) => line !== "" && !line.startsWith("#"));
}

export interface Zone {
  /** `CET`, or `UTC` where nothing says else. */
  readonly name: string;
  /** East of Greenwich. */
  readonly offsetSeconds: number;
}

/**
 * The agent's own time zone: by TZ, else by /etc/localtime (tzset(3)). The file is read when the offset changes.
 * @param zone the value of TZ
 */
export function createZoneReader(zone: string | undefined): (now: Date) => Zone {
  const file = zone ? `/usr/share/zoneinfo/${zone.replace(/^:/, "")}` : "/etc/localtime";
  let last: Zone | undefined;
  return (now) => {
    // Not -0 for UTC.
    const offsetSeconds = 0 - now.getTimezoneOffset() * 60;
    if (last?.offsetSeconds !== offsetSeconds)
      last = { name: readName(file, offsetSeconds) ?? shortName(now), offsetSeconds };
    return last;
  };
}

function readName(file: string, offsetSeconds: number): string | undefined {
  try {
    return zoneNameAt(readFileSync(file), offsetSeconds);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

/** As the runtime calls it: `UTC`, `GMT+1`. */
function shortName(now: Date): string {
  const parts = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" }).formatToParts(now);
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "UTC";
}
