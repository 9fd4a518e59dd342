import type { Usage } from "../../model.ts";
import { systemShare } from "../bpf/cpu-time.ts";
import {
  ancestorCount,
  ancestorSlots,
  ancestorsWord,
  type ExitSlot,
  exitWords,
} from "../bpf/exit-program.ts";
import type { Ancestor } from "./exit-source.ts";

const ancestorWords = ancestorSlots * 2;
const nameWords = 4;
/** Powers of two. A host has few programs that start many processes, so a small table finds most again. */
const rememberedNames = 256;
const rememberedChains = 64;

/** A figure of a record, as exact as a number is. */
export function exitFigure(words: Uint32Array, at: number, slot: ExitSlot): number {
  return figure(words, at + exitWords[slot]);
}

/** What it had used by then. */
export function readUsage(words: Uint32Array, at: number): Usage {
  const runNs = exitFigure(words, at, "runTime");
  const systemNs = systemShare(runNs, exitFigure(words, at, "userTime"), exitFigure(words, at, "systemTime"));
  return {
    userSeconds: (runNs - systemNs) / 1e9,
    systemSeconds: systemNs / 1e9,
    readBytes: exitFigure(words, at, "readBytes"),
    writtenBytes: exitFigure(words, at, "writtenBytes"),
    voluntarySwitches: exitFigure(words, at, "voluntarySwitches"),
    involuntarySwitches: exitFigure(words, at, "involuntarySwitches"),
    minorFaults: exitFigure(words, at, "minorFaults"),
    majorFaults: exitFigure(words, at, "majorFaults"),
  };
}

/**
 * Names and ancestors of records. Those who start thousands of processes a second do it from one parent, so that both
 * are nearly always what they were: a string and five objects for each end would be most of its cost.
 */
export interface ExitNames {
  /** `comm`: sixteen bytes, filled with NUL. */
  name(words: Uint32Array, at: number): string;
  ancestors(words: Uint32Array, at: number): readonly Ancestor[];
}

export function createExitNames(ticksPerNs: number): ExitNames {
  const names = createRemembered(rememberedNames, nameWords, readName);
  const read = (words: Uint32Array, at: number): readonly Ancestor[] => {
    const found: Ancestor[] = [];
    for (let index = 0; index < ancestorCount; index++) {
      const from = at + index * ancestorWords;
      const pid = figure(words, from);
      // The first process of the host is below the idle task, whose number is 0.
      if (pid === 0) break;
      const startTicks = Math.floor(figure(words, from + 2) * ticksPerNs);
      found.push({ pid, startTicks, name: names(words, from + 4) });
    }
    return found;
  };
  const chains = createRemembered(rememberedChains, ancestorCount * ancestorWords, read);
  return {
    name: (words, at) => names(words, at + exitWords.nameFrom),
    ancestors: (words, at) => chains(words, at + ancestorsWord),
  };
}

/** Remembers what was read of equal words. The place is chosen by the words; another's is taken over. */
function createRemembered<T>(
  places: number,
  length: number,
  read: (words: Uint32Array, at: number) => T,
): (words: Uint32Array, at: number) => T {
  const known = new Uint32Array(places * length);
  const values: (T | undefined)[] = new Array(places).fill(undefined);
  return (words, at) => {
    let mixed = 0;
    for (let index = 0; index < length; index++)
      mixed = Math.imul(mixed ^ (words[at + index] ?? 0), 0x9e3779b1);
    const place = (mixed >>> 16) & (places - 1);
    const from = place * length;
    let value = values[place];
    if (value !== undefined) {
      let index = 0;
      while (index < length && known[from + index] === words[at + index]) index++;
      if (index === length) return value;
    }
    for (let index = 0; index < length; index++) known[from + index] = words[at + index] ?? 0;
    value = read(words, at);
    values[place] = value;
    return value;
  };
}

function figure(words: Uint32Array, at: number): number {
  return (words[at] ?? 0) + (words[at + 1] ?? 0) * 2 ** 32;
}

function readName(words: Uint32Array, at: number): string {
  const bytes = Buffer.from(words.buffer, words.byteOffset + at * 4, 16);
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end === -1 ? 16 : end);
}
