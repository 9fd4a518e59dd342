// /proc/self/auxv: pairs of words (getauxval(3)): type 6 AT_PAGESZ, 17 AT_CLKTCK, 0 ends.
// /proc/stat:      btime 1700000000
// /proc/uptime:    350735.47 234388.90
import { endianness } from "node:os";
import { AgentError } from "../../errors.ts";
import type { KernelUnits } from "../../model.ts";
import { createFileReader } from "./files.ts";

const AT_PAGESZ = 6;
const AT_CLKTCK = 17;

/** The auxiliary vector of a 64-bit process as type → value; values beyond 2^53 lose their last bits. */
export function parseAuxv(bytes: Buffer): ReadonlyMap<number, number> {
  const little = endianness() === "LE";
  const word = (at: number): number => Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
  const entries = new Map<number, number>();
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    const type = word(at);
    if (type === 0) break;
    entries.set(type, word(at + 8));
  }
  return entries;
}

/** `btime` of /proc/stat: seconds since the epoch at boot. */
export function parseBootSeconds(text: string): number | undefined {
  const seconds = /^btime (\d+)$/m.exec(text)?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}

/** The first figure of /proc/uptime: seconds since boot, to a hundredth. */
export function parseUptimeSeconds(text: string): number | undefined {
  const seconds = /^(\d+\.\d+) /.exec(text)?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}

/**
 * When the host was booted. `btime` has whole seconds, so that a start computed with it is up to one too early; the
 * uptime tells it to a hundredth.
 */
function bootOf(btime: number, uptime: number | undefined, nowMs: number): number {
  if (uptime === undefined) return btime;
  const exact = Math.round(nowMs / 10) / 100 - uptime;
  return Math.abs(exact - btime) < 2 ? Math.round(exact * 100) / 100 : btime;
}

/**
 * Page and tick are asked of the agent's own kernel, which is the host's.
 * @throws AgentError `unavailable` when the root holds no procfs
 */
export function readKernelUnits(procRoot: string, nowMs: number): KernelUnits {
  const files = createFileReader();
  const ownLength = files.read("/proc/self/auxv");
  const auxv =
    typeof ownLength === "number" ? parseAuxv(files.bytes.subarray(0, ownLength)) : new Map<number, number>();
  const readText = (name: string): string => {
    const length = files.read(`${procRoot}/${name}`);
    return typeof length === "number" ? files.bytes.toString("latin1", 0, length) : "";
  };
  const btime = parseBootSeconds(readText("stat"));
  if (btime === undefined) {
    throw new AgentError(
      "unavailable",
      `${procRoot}/stat cannot be read: is ${procRoot} a procfs? (--path.procfs)`,
    );
  }
  return {
    bootSeconds: bootOf(btime, parseUptimeSeconds(readText("uptime")), nowMs),
    pageBytes: auxv.get(AT_PAGESZ) ?? 4096,
    ticksPerSecond: auxv.get(AT_CLKTCK) ?? 100,
  };
}
