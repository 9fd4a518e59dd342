import os from "node:os";
import type { HostFacts } from "../api.ts";
import { reasonOf } from "../errors.ts";
import type { Logger } from "../log.ts";

/** systeminformation runs programs for some facts (df, lsb_release): asked for at most this often. */
const trustMs = 10_000;
const limitMs = 5_000;

/** Facts about the host by systeminformation, for people; whatever it cannot give in time is null. */
export interface HostFactsReader {
  read(): Promise<HostFacts>;
}

export function createHostFacts(log: Logger, now: () => number): HostFactsReader {
  let last: { at: number; facts: Promise<HostFacts> } | undefined;
  return {
    read: () => {
      if (last === undefined || now() - last.at > trustMs) last = { at: now(), facts: readFacts(log) };
      return last.facts;
    },
  };
}

async function readFacts(log: Logger): Promise<HostFacts> {
  // A megabyte of program, which only those who ask for facts pay.
  const { default: si } = await import("systeminformation");
  const [system, load, memory, disks, network] = await Promise.all([
    attempt("os", () => si.osInfo(), log),
    attempt("load", () => si.currentLoad(), log),
    attempt("memory", () => si.mem(), log),
    attempt("disks", () => si.fsSize(), log),
    attempt("network", () => si.networkStats("*"), log),
  ]);
  const [one = 0, five = 0, fifteen = 0] = os.loadavg();
  return {
    hostname: os.hostname(),
    os: system && {
      distribution: system.distro,
      release: system.release,
      kernel: system.kernel,
      arch: system.arch,
    },
    cpus: os.cpus().length,
    uptimeSeconds: Math.round(os.uptime()),
    load: { one, five, fifteen, cpuPercent: load && Math.round(load.currentLoad * 10) / 10 },
    memory: memory && {
      totalBytes: memory.total,
      availableBytes: memory.available,
      swapTotalBytes: memory.swaptotal,
      swapFreeBytes: memory.swapfree,
    },
    disks:
      disks?.map((disk) => ({
        device: disk.fs,
        mountpoint: disk.mount,
        type: disk.type,
        sizeBytes: disk.size,
        usedBytes: disk.used,
      })) ?? null,
    network:
      network?.map((one) => ({
        interface: one.iface,
        receivedBytes: one.rx_bytes,
        sentBytes: one.tx_bytes,
      })) ?? null,
  };
}

async function attempt<T>(what: string, read: () => Promise<T>, log: Logger): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([read(), late]);
  } catch (error) {
    log.warn("host facts are incomplete", { what, reason: reasonOf(error) });
    return null;
  } finally {
    clearTimeout(timer);
  }
}
