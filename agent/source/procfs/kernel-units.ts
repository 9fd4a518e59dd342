// /proc/self/auxv: pairs of words (getauxval(3)): type 6 AT_PAGESZ, 17 AT_CLKTCK, 0 ends.
// /proc/stat:      btime 1700000000
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

/**
 * Page and tick are asked of the agent's own kernel, which is the host's.
 * @throws AgentError `unavailable` when the root holds no procfs
 */
export function readKernelUnits(procRoot: string): KernelUnits {
  const files = createFileReader();
  const ownLength = files.read("/proc/self/auxv");
  const auxv =
    typeof ownLength === "number" ? parseAuxv(files.bytes.subarray(0, ownLength)) : new Map<number, number>();
  const length = files.read(`${procRoot}/stat`);
  const bootSeconds =
    typeof length === "number" ? parseBootSeconds(files.bytes.toString("latin1", 0, length)) : undefined;
  if (bootSeconds === undefined) {
    throw new AgentError(
      "unavailable",
      `${procRoot}/stat cannot be read: is ${procRoot} a procfs? (--path.procfs)`,
    );
  }
  return { bootSeconds, pageBytes: auxv.get(AT_PAGESZ) ?? 4096, ticksPerSecond: auxv.get(AT_CLKTCK) ?? 100 };
}
