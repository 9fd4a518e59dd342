import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { AgentError, systemCode } from "../../errors.ts";

/** Where the host's files are, as the agent sees them. */
export interface HostRoots {
  readonly proc: string;
  readonly sys: string;
  /** The sysfs whose class/net lists the host's interfaces. */
  readonly netSys: string;
  /** Empty for the agent's own root. */
  readonly rootfs: string;
}

/** Small files of the host as text. */
export interface HostFiles {
  readonly roots: HostRoots;
  /**
   * @returns undefined when there is no such file, or the kernel does without what it tells
   * @throws AgentError `unavailable` when it is there and cannot be read
   */
  read(path: string): string | undefined;
  /** An attribute of a device, without the newline; undefined also when the driver refuses it, as many do. */
  readAttribute(path: string): string | undefined;
  /** Names in a folder in their order; empty when there is none. @throws AgentError `unavailable` as `read` */
  list(path: string): readonly string[];
}

/** EOPNOTSUPP: the kernel was booted without what the file tells (pressure); ENODEV: the device is going. */
const absentCodes: ReadonlySet<string> = new Set([
  "ENOENT",
  "ENOTDIR",
  "ESRCH",
  "ENODEV",
  "EOPNOTSUPP",
  "ENOTSUP",
]);

const firstBytes = 64 * 1024;
/** More of one file is left out: nothing that is read here comes near. */
const mostBytes = 8 << 20;

export function createHostFiles(roots: HostRoots): HostFiles {
  let bytes = Buffer.allocUnsafe(firstBytes);
  /** @throws the system's own error */
  const readWhole = (path: string): string => {
    const fd = openSync(path, "r");
    try {
      let length = 0;
      // A file of many records comes in pieces of about a page, however large the buffer is: only 0 bytes are its end.
      while (length < mostBytes) {
        if (length === bytes.length) bytes = Buffer.concat([bytes], bytes.length * 2);
        const count = readSync(fd, bytes, length, bytes.length - length, null);
        if (count === 0) break;
        length += count;
      }
      return bytes.toString("utf8", 0, length);
    } finally {
      closeSync(fd);
    }
  };
  return {
    roots,
    read: (path) => {
      try {
        return readWhole(path);
      } catch (error) {
        return absentOr(error, path);
      }
    },
    readAttribute: (path) => {
      try {
        return readWhole(path).replace(/\n$/, "");
      } catch (error) {
        if (systemCode(error) === undefined) throw error;
        return undefined;
      }
    },
    list: (path) => {
      try {
        return readdirSync(path).sort();
      } catch (error) {
        return absentOr(error, path) ?? [];
      }
    },
  };
}

function absentOr(error: unknown, path: string): undefined {
  const code = systemCode(error);
  if (code === undefined) throw error;
  if (absentCodes.has(code)) return undefined;
  throw new AgentError("unavailable", `${path} cannot be read: ${code}`, { cause: error });
}
