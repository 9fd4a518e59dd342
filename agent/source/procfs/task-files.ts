import { readdirSync } from "node:fs";
import { createFileReader, failureOf } from "./files.ts";
import { parseIo } from "./io.ts";
import { parseStat } from "./stat.ts";
import { parseStatus } from "./status.ts";

/** One thread; figures are NaN where its file was refused. */
export interface Task {
  readonly id: number;
  readonly startTicks: number;
  readonly name: string;
  /** Character code of the state's letter. */
  readonly state: number;
  readonly userTicks: number;
  readonly systemTicks: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  readonly minorFaults: number;
  readonly majorFaults: number;
  /** As `waitOf` gives it. */
  readonly wait: string;
}

/** Reads single threads: four files each, so only where they are asked for. */
export interface TaskReader {
  /** The ids of a process's threads; none when it is gone. */
  list(pid: number): readonly number[];
  /** Undefined when it is gone. */
  read(pid: number, id: number): Task | undefined;
  /** The function of the kernel that the main thread waits in (proc_pid_wchan(5)); empty when in none. */
  waitOf(pid: number): string;
}

export function createTaskReader(root: string): TaskReader {
  const files = createFileReader();
  const readWait = (folder: string): string => {
    const length = files.read(`${folder}/wchan`);
    const text = typeof length === "number" ? files.bytes.toString("utf8", 0, length) : "";
    return text === "0" ? "" : text;
  };
  return {
    list: (pid) => {
      try {
        return readdirSync(`${root}/${pid}/task`).map(Number);
      } catch (error) {
        failureOf(error);
        return [];
      }
    },
    read: (pid, id) => {
      const folder = `${root}/${pid}/task/${id}`;
      let length = files.read(`${folder}/stat`);
      const stat = typeof length === "number" ? parseStat(files.bytes, length) : undefined;
      if (stat === undefined) return undefined;
      const name = files.bytes.toString("utf8", stat.commFrom, stat.commEnd);
      length = files.read(`${folder}/status`);
      const status = typeof length === "number" ? parseStatus(files.bytes, length) : undefined;
      length = files.read(`${folder}/io`);
      const io = typeof length === "number" ? parseIo(files.bytes, length) : undefined;
      return {
        id,
        startTicks: stat.startTicks,
        name,
        state: stat.state,
        userTicks: stat.userTicks,
        systemTicks: stat.systemTicks,
        readBytes: io?.readBytes ?? Number.NaN,
        writtenBytes: io?.writtenBytes ?? Number.NaN,
        voluntarySwitches: status?.voluntarySwitches ?? Number.NaN,
        involuntarySwitches: status?.involuntarySwitches ?? Number.NaN,
        minorFaults: stat.minorFaults,
        majorFaults: stat.majorFaults,
        wait: readWait(folder),
      };
    },
    waitOf: (pid) => readWait(`${root}/${pid}`),
  };
}
