import type { KernelUnits, Usage } from "../../model.ts";
import type { Syscalls } from "../../syscalls.ts";
import type { Btf } from "../bpf/btf.ts";
import { assembleExitProgram, assembleFreeProgram } from "../bpf/exit-program.ts";
import { attachTracepoint } from "../bpf/loader.ts";
import { createCounterMap, createRingBuffer } from "../bpf/maps.ts";
import type { CgroupTexts } from "../cgroupfs/cgroup-texts.ts";
import { createExitNames, exitFigure, readUsage } from "./exit-records.ts";
import type { ExitRecord, ExitSource } from "./exit-source.ts";

/** Room for some 13,000 ends: a second of the worst fork storm, should the event loop be held up. */
const exitRingBytes = 4 << 20;
const freeRingBytes = 2 << 20;
/**
 * How long an end waits for the exact figures, which come 11 to 18 ms after it unless nobody reaps the process. Then
 * the figures of the end itself are taken, and the scans see the rest.
 */
const waitForUsageMs = 250;

export interface BpfExitParts {
  readonly btf: Btf;
  readonly syscalls: Syscalls;
  readonly units: KernelUnits;
  readonly cgroups: CgroupTexts;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Nanoseconds of CLOCK_MONOTONIC. */
  readonly monotonicNs: () => number;
}

interface WaitingExit extends ExitRecord {
  usage: Usage;
  readonly isExact: boolean;
  readonly startNs: number;
  readonly since: number;
}

/**
 * Every end of a process by a BPF program at `sched_process_exit`, corrected by one at `sched_process_free`.
 * @throws AgentError `unavailable` when the kernel or the rights do not allow it
 */
export function createBpfExits(parts: BpfExitParts): ExitSource {
  // Not `parts`: what lives as long as the source would keep the kernel's types, which are megabytes.
  const { btf, syscalls, units, cgroups, now, monotonicNs } = parts;
  const open: { close(): void }[] = [];
  const close = (): void => {
    for (const one of open.splice(0).reverse()) one.close();
  };
  const keep = <T extends { close(): void }>(made: T): T => {
    open.push(made);
    return made;
  };
  try {
    const lost = keep(createCounterMap(syscalls));
    // Of figures that do not come, the end's own are used: they are not counted as lost.
    const corrections = keep(createCounterMap(syscalls));
    const exits = keep(createRingBuffer(exitRingBytes, syscalls));
    const frees = keep(createRingBuffer(freeRingBytes, syscalls));
    const exitProgram = assembleExitProgram(btf, { ringFd: exits.fd, lostFd: lost.fd });
    const freeProgram = assembleFreeProgram(btf, { ringFd: frees.fd, lostFd: corrections.fd });
    keep(attachTracepoint("sched_process_exit", exitProgram, btf, syscalls));
    keep(attachTracepoint("sched_process_free", freeProgram, btf, syscalls));
    const waiting = createWaiting({ units, cgroups, now, monotonicNs });
    return {
      name: "bpf",
      drain: () => {
        cgroups.beginRound();
        // These first: then the end of each is in the other ring already, or has been taken out before.
        frees.drain(waiting.usage);
        exits.drain(waiting.end);
        return waiting.take();
      },
      lost: lost.read,
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

type WaitingParts = Omit<BpfExitParts, "btf" | "syscalls">;

/** Ends that wait for their exact figures. */
function createWaiting(parts: WaitingParts) {
  const { cgroups, now, monotonicNs } = parts;
  const ticksPerNs = parts.units.ticksPerSecond / 1e9;
  const names = createExitNames(ticksPerNs);
  const byPid = new Map<number, WaitingExit>();
  const exact = new Map<number, { readonly startNs: number; readonly usage: Usage }>();
  const done: WaitingExit[] = [];
  const read = (words: Uint32Array, at: number, pid: number, startNs: number): WaitingExit => {
    const known = exact.get(pid);
    const since = now();
    const lifetimeNs = exitFigure(words, at, "endTime") - startNs;
    const passedNs = monotonicNs() - exitFigure(words, at, "endClock");
    return {
      pid,
      startTicks: Math.floor(startNs * ticksPerNs),
      name: names.name(words, at),
      parentPid: exitFigure(words, at, "parentId"),
      userId: exitFigure(words, at, "userId"),
      status: exitFigure(words, at, "status"),
      oomVictim: exitFigure(words, at, "oomMemory") !== 0,
      endedAt: Math.round(since - Math.max(0, passedNs) / 1e6),
      lifetimeSeconds: Math.max(0, lifetimeNs) / 1e9,
      cgroup:
        cgroups.find(exitFigure(words, at, "defaultCgroup"), exitFigure(words, at, "memoryCgroup")) ?? null,
      ancestors: names.ancestors(words, at),
      usage: known?.startNs === startNs ? known.usage : readUsage(words, at),
      isExact: known?.startNs === startNs,
      startNs,
      since,
    };
  };
  return {
    usage: (words: Uint32Array, at: number): void => {
      const pid = exitFigure(words, at, "processId");
      const startNs = exitFigure(words, at, "startTime");
      const usage = readUsage(words, at);
      const one = byPid.get(pid);
      if (one?.startNs !== startNs) {
        exact.set(pid, { startNs, usage });
        return;
      }
      byPid.delete(pid);
      one.usage = usage;
      done.push(one);
    },
    end: (words: Uint32Array, at: number): void => {
      const pid = exitFigure(words, at, "processId");
      const startNs = exitFigure(words, at, "startTime");
      const before = byPid.get(pid);
      // Two threads that end together can both be told to be the last.
      if (before?.startNs === startNs) return;
      if (before !== undefined) done.push(before);
      const record = read(words, at, pid, startNs);
      if (record.isExact) done.push(record);
      else byPid.set(pid, record);
    },
    take: (): readonly ExitRecord[] => {
      exact.clear();
      const late = parts.now() - waitForUsageMs;
      for (const [pid, one] of byPid) {
        // In the order of their ends, so the rest is younger.
        if (one.since > late) break;
        byPid.delete(pid);
        done.push(one);
      }
      return done.splice(0);
    },
  };
}
