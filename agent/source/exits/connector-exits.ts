import { AgentError } from "../../errors.ts";
import type { KernelUnits, Usage } from "../../model.ts";
import type { Syscalls } from "../../syscalls.ts";
import { createFileReader } from "../procfs/files.ts";
import { parseStat, type Stat } from "../procfs/stat.ts";
import {
  CN_IDX_PROC,
  type ConnectorEvent,
  listenMessage,
  NETLINK_CONNECTOR,
  parseConnectorEvent,
} from "./connector-messages.ts";
import type { Ancestor, ExitRecord, ExitSource } from "./exit-source.ts";

/** Room for some 10,000 events: the kernel books about 800 bytes for each. */
const receiveBytes = 8 << 20;
/** Events for one drain; the rest waits for the next. */
const mostAtOnce = 20_000;
const longestAncestry = 8;
/** Forks are remembered until the process ends; lost ends must not let them grow for ever. */
const mostForks = 100_000;

export interface ConnectorParts {
  /** The host's procfs. */
  readonly root: string;
  readonly units: KernelUnits;
  readonly syscalls: Syscalls;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Nanoseconds of CLOCK_MONOTONIC. */
  readonly monotonicNs: () => number;
}

interface Fork {
  readonly parentId: number;
  readonly clockNs: number;
}

type ExitEvent = Extract<ConnectorEvent, { readonly kind: "exit" }>;

/**
 * Every end of a process by the kernel's proc connector, which gives PID and status only. The rest is read from /proc
 * while the process is a zombie, when it still is; its ancestors are those that its fork told.
 * @throws AgentError `unavailable` without the right (CAP_NET_ADMIN), outside of the host's network or PID namespace,
 *   or when the kernel has no connector
 */
export function createConnectorExits(parts: ConnectorParts): ExitSource {
  const socket = parts.syscalls.openNetlink(NETLINK_CONNECTOR, 1 << (CN_IDX_PROC - 1), receiveBytes);
  const sequences = createSequences();
  const forks = new Map<number, Fork>();
  /** First threads that have ended before others of their process. */
  const leaving = new Map<number, ExitEvent>();
  const zombies = createZombieReader(parts.root);
  const finish = (event: ExitEvent): ExitRecord | undefined => {
    const stat = zombies.readStat(event.processId);
    if (stat !== undefined && stat.threads > 1 && isZombie(stat)) {
      leaving.set(event.processId, event);
      return undefined;
    }
    leaving.delete(event.processId);
    // Alive: another thread's exec has ended the first thread and taken its number.
    if (stat !== undefined && !isZombie(stat)) return undefined;
    const fork = forks.get(event.processId);
    forks.delete(event.processId);
    const cgroup = stat === undefined ? undefined : zombies.readCgroup(event.processId);
    return toRecord(event, stat, fork, cgroup, ancestorsOf(fork, forks), parts);
  };
  acknowledge(socket.send, socket.receive, socket.close);
  return {
    name: "connector",
    drain: () => {
      const ended: ExitEvent[] = [...leaving.values()];
      socket.receive((datagram) => {
        const event = parseConnectorEvent(datagram);
        if (event === undefined) return;
        sequences.saw(event);
        if (event.kind === "fork" && event.processId === event.threadId) {
          forks.set(event.processId, event);
          if (forks.size > mostForks) forks.delete(forks.keys().next().value ?? 0);
        }
        if (event.kind === "exit" && event.processId === event.threadId) ended.push(event);
      }, mostAtOnce);
      return ended.map(finish).filter((record) => record !== undefined);
    },
    lost: sequences.lost,
    close: socket.close,
  };
}

/** The kernel answers at once, or ignores the request in silence. */
function acknowledge(
  send: (message: Buffer) => void,
  receive: (take: (datagram: Buffer) => void, most: number) => boolean,
  close: () => void,
): void {
  let answer: ConnectorEvent | undefined;
  try {
    send(listenMessage());
    receive((datagram) => {
      const event = parseConnectorEvent(datagram);
      if (event?.kind === "acknowledged") answer = event;
    }, 1000);
  } catch (error) {
    close();
    throw error;
  }
  if (answer?.kind === "acknowledged" && answer.error === 0) return;
  close();
  const why = answer?.kind === "acknowledged" ? `errno ${answer.error}` : "no answer";
  throw new AgentError(
    "unavailable",
    `the kernel's proc connector cannot be listened to (${why}); it needs CAP_NET_ADMIN and the host's network and PID namespaces`,
  );
}

/** Counts what is missing in the numbers that each CPU gives its events. */
function createSequences() {
  const next = new Map<number, number>();
  let lost = 0;
  return {
    saw: ({ cpu, sequence, kind }: ConnectorEvent): void => {
      // Answers to requests have the request's number.
      if (kind === "acknowledged") return;
      const expected = next.get(cpu);
      if (expected !== undefined) lost += (sequence - expected) >>> 0;
      next.set(cpu, (sequence + 1) >>> 0);
    },
    lost: () => lost,
  };
}

function createZombieReader(root: string) {
  const reader = createFileReader();
  const read = (pid: number, name: string): number | undefined => {
    const length = reader.read(`${root}/${pid}/${name}`);
    return typeof length === "number" ? length : undefined;
  };
  return {
    /** The name is a copy, since the next read overwrites the bytes. */
    readStat: (pid: number): (Stat & { readonly name: string }) | undefined => {
      const length = read(pid, "stat");
      const stat = length === undefined ? undefined : parseStat(reader.bytes, length);
      return stat && { ...stat, name: reader.bytes.toString("utf8", stat.commFrom, stat.commEnd) };
    },
    readCgroup: (pid: number): string | undefined => {
      const length = read(pid, "cgroup");
      return length === undefined ? undefined : reader.bytes.toString("utf8", 0, length);
    },
  };
}

function isZombie({ state }: Stat): boolean {
  const letter = String.fromCharCode(state);
  return letter === "Z" || letter === "X";
}

function toRecord(
  event: ExitEvent,
  stat: (Stat & { readonly name: string }) | undefined,
  fork: Fork | undefined,
  cgroup: string | undefined,
  ancestors: readonly Ancestor[],
  { now, monotonicNs, units }: ConnectorParts,
): ExitRecord {
  const agoMs = Math.max(0, monotonicNs() - event.clockNs) / 1e6;
  return {
    pid: event.processId,
    startTicks: stat?.startTicks ?? null,
    name: stat?.name ?? null,
    parentPid: stat?.parentPid ?? fork?.parentId ?? null,
    userId: null,
    status: event.status,
    oomVictim: null,
    endedAt: Math.round(now() - agoMs),
    lifetimeSeconds: fork === undefined ? null : Math.max(0, event.clockNs - fork.clockNs) / 1e9,
    cgroup: cgroup ?? null,
    ancestors,
    usage: stat === undefined ? null : usageOf(stat, units),
  };
}

function usageOf(stat: Stat, { ticksPerSecond }: KernelUnits): Usage {
  return {
    userSeconds: stat.userTicks / ticksPerSecond,
    systemSeconds: stat.systemTicks / ticksPerSecond,
    minorFaults: stat.minorFaults,
    majorFaults: stat.majorFaults,
    // Not in stat; what the last scan saw stays.
    readBytes: 0,
    writtenBytes: 0,
    voluntarySwitches: 0,
    involuntarySwitches: 0,
  };
}

function ancestorsOf(fork: Fork | undefined, forks: ReadonlyMap<number, Fork>): readonly Ancestor[] {
  const found: Ancestor[] = [];
  let pid = fork?.parentId;
  while (pid !== undefined && pid > 0 && found.length < longestAncestry) {
    found.push({ pid, startTicks: null, name: null });
    pid = forks.get(pid)?.parentId;
  }
  return found;
}
