import { closeSync, readSync } from "node:fs";
import { setImmediate as yieldToLoop } from "node:timers/promises";
import { AgentError, reasonOf } from "../../errors.ts";
import type { Syscalls } from "../../syscalls.ts";
import type { Btf } from "./btf.ts";
import { createIteratedProcesses } from "./iterated-processes.ts";
import { type CallableProgram, loadCallable, loadTaskIterator } from "./loader.ts";
import { createMappedValue, type MappedValue } from "./maps.ts";
import { assembleProcessWalk } from "./process-walk.ts";
import { createRecordPool } from "./record-pool.ts";
import { assembleTaskIterator } from "./task-iterator.ts";
import { readRecords, type TaskRecords } from "./task-records.ts";
import { type ThreadVisit, threadVisitOf } from "./thread-sums.ts";
import { createWalkMemory, type WalkMemory, walkLayout } from "./walk-memory.ts";
import { createWalkedProcesses } from "./walked-processes.ts";

/** Reads of the iterator, each of at most 32 KiB, between two yields to the event loop. */
const readsAtOnce = 8;
/** Calls that do not find where they are to go on, in one pass: more would be a host on which processes live for no time. */
const mostMisses = 32;

/** Passes over all processes, one after the other. */
export interface TaskPasses {
  /** What the last pass has shown. */
  readonly records: TaskRecords;
  /** Why the kernel's own iterator is read, where a program should go along the processes by itself. */
  readonly slowerBecause?: string;
  /**
   * @param scan its number
   * @throws AgentError `unavailable` or RangeError when it cannot be ended; the next one begins anew then
   */
  pass(scan: number): Promise<void>;
  close(): void;
}

/**
 * Loads the program. Where the kernel has no iterator of processes that a program can use, before Linux 6.7, or does not let it
 * be loaded, the kernel's own iterator gives the whole record of each process.
 * @throws AgentError `unavailable` with the kernel's errno and the end of the verifier's log
 */
export function loadTaskPasses(
  btf: Btf,
  syscalls: Syscalls,
  threads: ThreadVisit = threadVisitOf(btf),
): TaskPasses {
  if (threads === "walk") return loadIterator(btf, syscalls, threads);
  try {
    return loadWalk(btf, syscalls);
  } catch (error) {
    return { ...loadIterator(btf, syscalls, threads), slowerBecause: reasonOf(error) };
  }
}

function loadIterator(btf: Btf, syscalls: Syscalls, threads: ThreadVisit): TaskPasses {
  const iterator = loadTaskIterator(assembleTaskIterator(btf, threads), btf, syscalls);
  const pool = createRecordPool();
  const processes = createIteratedProcesses(pool);
  let isInStep = false;
  return {
    records: readRecords(pool, processes),
    pass: async () => {
      if (!isInStep) processes.clear();
      isInStep = false;
      const fd = iterator.open();
      processes.begin();
      try {
        for (let reads = 1; ; reads++) {
          const room = processes.room();
          const length = readSync(fd, room, 0, room.length, null);
          if (length === 0) break;
          processes.took(length);
          if (reads % readsAtOnce === 0) await yieldToLoop();
        }
      } finally {
        closeSync(fd);
      }
      processes.finish();
      isInStep = true;
    },
    close: () => iterator.close(),
  };
}

/** @throws AgentError `unavailable` when the kernel has no such map or program, or refuses it */
function loadWalk(btf: Btf, syscalls: Syscalls): TaskPasses {
  const value = createMappedValue(walkLayout.bytes, "pidward_walk", syscalls);
  let program: CallableProgram;
  try {
    program = loadCallable(assembleProcessWalk(btf, value.fd), "pidward_walk", btf, syscalls);
  } catch (error) {
    value.close();
    throw error;
  }
  return createWalkedPasses(program, value);
}

/** @param program what `assembleProcessWalk` gives for the map's value */
export function createWalkedPasses(
  program: Pick<CallableProgram, "call" | "close">,
  value: MappedValue,
): TaskPasses {
  const memory = createWalkMemory(value.bytes);
  const pool = createRecordPool();
  const processes = createWalkedProcesses(pool, memory);
  let isInStep = false;
  let isOpen = true;
  return {
    records: readRecords(pool, processes),
    pass: async (scan) => {
      // A scan that was under way when the agent stopped comes here; memory that is unmapped would end the process.
      if (!isOpen) return;
      if (!isInStep) processes.clear();
      isInStep = false;
      memory.beginPass(scan);
      processes.begin();
      const call = callInTurn(program, memory);
      while (call()) {
        processes.take();
        await yieldToLoop();
        if (!isOpen) return;
      }
      processes.take();
      processes.finish();
      isInStep = true;
    },
    close: () => {
      isOpen = false;
      program.close();
      value.close();
    },
  };
}

/**
 * One call goes through all processes; when its output is full, the next one goes on behind the process of its last record. That
 * can have ended meanwhile: then one goes on behind the process of a record before that one, and in the end from the beginning.
 * @returns a function that calls the program, and tells whether there is more
 */
function callInTurn(program: Pick<CallableProgram, "call">, memory: WalkMemory): () => boolean {
  let written = 0;
  let misses = 0;
  const callBehind = (index: number): void => {
    if (index < 0) memory.beginCall(0, 0);
    else memory.beginCall(memory.pidOf(index), memory.cursorOf(index));
    program.call();
  };
  return () => {
    let back = 1;
    for (callBehind(written - back); memory.hasMissed(); callBehind(written - back)) {
      if (++misses > mostMisses)
        throw new AgentError("unavailable", "processes end faster than the kernel's program can show them");
      back *= 2;
    }
    written = memory.written();
    return memory.isFull();
  };
}
