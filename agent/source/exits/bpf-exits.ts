import type { KernelUnits, Usage } from "../../model.ts";
import type { Syscalls } from "../../syscalls.ts";
import type { Btf } from "../bpf/btf.ts";
import { splitCpuTime } from "../bpf/cpu-time.ts";
import {
  ancestorCount,
  ancestorSlots,
  ancestorsWord,
  assembleExitProgram,
  assembleFreeProgram,
  type ExitSlot,
  exitWords,
} from "../bpf/exit-program.ts";
import { attachTracepoint } from "../bpf/loader.ts";
import { createCounterMap, createRingBuffer } from "../bpf/maps.ts";
import type { CgroupTexts } from "../cgroupfs/cgroup-texts.ts";
import type { Ancestor, ExitRecord, ExitSource } from "./exit-source.ts";

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
  const ticksPerNs = parts.units.ticksPerSecond / 1e9;
  const byPid = new Map<number, WaitingExit>();
  const exact = new Map<number, { readonly startNs: number; readonly usage: Usage }>();
  const done: WaitingExit[] = [];
  const settle = (one: WaitingExit): void => {
    const known = exact.get(one.pid);
    if (known === undefined || known.startNs !== one.startNs) {
      byPid.set(one.pid, one);
      return;
    }
    one.usage = known.usage;
    done.push(one);
  };
  return {
    usage: (words: Uint32Array, at: number): void => {
      const pid = figure(words, at + exitWords.processId);
      const startNs = figure(words, at + exitWords.startTime);
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
      const record = readExit(words, at, parts, ticksPerNs);
      const before = byPid.get(record.pid);
      // Two threads that end together can both be told to be the last.
      if (before?.startNs === record.startNs) return;
      if (before !== undefined) done.push(before);
      settle(record);
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

function readExit(
  words: Uint32Array,
  at: number,
  { cgroups, now, monotonicNs }: WaitingParts,
  ticksPerNs: number,
): WaitingExit {
  const slot = (name: ExitSlot): number => figure(words, at + exitWords[name]);
  const startNs = slot("startTime");
  const endNs = slot("endTime");
  const since = now();
  return {
    pid: slot("processId"),
    startTicks: Math.floor(startNs * ticksPerNs),
    name: readName(words, at + exitWords.nameFrom),
    parentPid: slot("parentId"),
    userId: slot("userId"),
    status: slot("status"),
    oomVictim: slot("oomMemory") !== 0,
    endedAt: Math.round(since - Math.max(0, monotonicNs() - slot("endClock")) / 1e6),
    lifetimeSeconds: Math.max(0, endNs - startNs) / 1e9,
    cgroup: cgroups.find(slot("defaultCgroup"), slot("memoryCgroup")) ?? null,
    ancestors: readAncestors(words, at + ancestorsWord, ticksPerNs),
    usage: readUsage(words, at),
    startNs,
    since,
  };
}

function readUsage(words: Uint32Array, at: number): Usage {
  const cpu = splitCpuTime(
    figure(words, at + exitWords.runTime),
    figure(words, at + exitWords.userTime),
    figure(words, at + exitWords.systemTime),
  );
  return {
    userSeconds: cpu.userSeconds,
    systemSeconds: cpu.systemSeconds,
    readBytes: figure(words, at + exitWords.readBytes),
    writtenBytes: figure(words, at + exitWords.writtenBytes),
    voluntarySwitches: figure(words, at + exitWords.voluntarySwitches),
    involuntarySwitches: figure(words, at + exitWords.involuntarySwitches),
    minorFaults: figure(words, at + exitWords.minorFaults),
    majorFaults: figure(words, at + exitWords.majorFaults),
  };
}

function readAncestors(words: Uint32Array, at: number, ticksPerNs: number): readonly Ancestor[] {
  const found: Ancestor[] = [];
  for (let index = 0; index < ancestorCount; index++) {
    const from = at + index * ancestorSlots * 2;
    const pid = figure(words, from);
    // The first process of the host is below the idle task, whose number is 0.
    if (pid === 0) break;
    found.push({
      pid,
      startTicks: Math.floor(figure(words, from + 2) * ticksPerNs),
      name: readName(words, from + 4),
    });
  }
  return found;
}

function figure(words: Uint32Array, at: number): number {
  return (words[at] ?? 0) + (words[at + 1] ?? 0) * 2 ** 32;
}

/** `comm`: sixteen bytes, filled with NUL. */
function readName(words: Uint32Array, at: number): string {
  let text = "";
  // Character by character: five names come with an end, and a Buffer for each would be most of its cost.
  for (let index = 0; index < 16; index++) {
    const byte = ((words[at + (index >> 2)] ?? 0) >>> ((index & 3) * 8)) & 0xff;
    if (byte === 0) break;
    if (byte >= 0x80) return decodeName(words, at);
    text += String.fromCharCode(byte);
  }
  return text;
}

function decodeName(words: Uint32Array, at: number): string {
  const bytes = Buffer.from(words.buffer, words.byteOffset + at * 4, 16);
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end === -1 ? 16 : end);
}
