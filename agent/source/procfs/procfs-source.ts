import { readdirSync } from "node:fs";
import { setImmediate as yieldToLoop } from "node:timers/promises";
import { AgentError, reasonOf } from "../../errors.ts";
import { type FileCalls, nodeFileCalls } from "../../file-calls.ts";
import { type KernelUnits, kernelThreadFlag, type ProcessTable } from "../../model.ts";
import { type ColumnWriter, createColumnStore, haveSameLives } from "../columns.ts";
import { createProblems, type ProblemCollector } from "../problems.ts";
import type { ProcessSource, Scan } from "../process-source.ts";
import { createFileReader, type FileReader } from "./files.ts";
import type { GuardedReader } from "./guarded-reader.ts";
import { parseIo } from "./io.ts";
import { createLives, createSighting, type Life, type Lives, restOf, rests, type Sighting } from "./lives.ts";
import { createOpenFilesCounter } from "./open-files.ts";
import { createRestingRows } from "./resting-rows.ts";
import { parseStat, type Stat } from "./stat.ts";
import { parseStatus, type Status } from "./status.ts";
import { createThreadReader } from "./thread-reader.ts";

/** Processes between two yields to the event loop: at 20–80 µs each a block of some milliseconds; of those kept, eight are as one. */
const chunk = 64;
const keptShare = 1 / 8;

export interface ProcfsParts {
  readonly root: string;
  readonly units: KernelUnits;
  /** One of its own when left out. It is closed with the source. */
  readonly commands?: GuardedReader;
  /** Node's when left out. */
  readonly calls?: FileCalls;
}

/** Reads single processes into rows, remembering what hardly changes. */
export interface RowReader {
  /**
   * Adds the row of one process, or none when it vanished.
   * @returns whether all of it is known, and stays so until the process runs or its turn has come
   */
  read(pid: number, scan: RowScan): boolean;
  /** Whether this scan is the process's turn: what can change unseen is read again. */
  isTurn(pid: number, scan: RowScan): boolean;
  /** Forgets the processes that this scan did neither read nor keep. */
  sweep(scan: RowScan, kept?: Int32Array): void;
}

/** One scan: where rows and problems go, and its number, which ascends. */
export interface RowScan {
  readonly columns: ColumnWriter;
  readonly problems: ProblemCollector;
  readonly number: number;
}

/**
 * Reads /proc: works on every kernel and with any rights. For each process that has run since the scan before the files stat,
 * status and io and the number of entries in fd (see resting-rows.ts); what hardly changes is kept by ref (see lives.ts). smaps is never read: it can take
 * milliseconds and holds the process's memory lock.
 */
export function createProcfsSource({
  root,
  units,
  commands = createThreadReader(),
  calls = nodeFileCalls,
}: ProcfsParts): ProcessSource {
  const rows = createRowReader({ root, units, commands, calls });
  const tables = createColumnStore();
  const resting = createRestingRows(root, calls);
  let scans = 0;
  /** Undefined, too, when the scan after it has failed: what was kept of it is not all there. */
  let last: ProcessTable | undefined;
  return {
    name: "procfs",
    scan: async (): Promise<Scan> => {
      const pids = listPids(root);
      const columns = tables.begin(pids.length);
      const scan: RowScan = { columns, problems: createProblems(), number: ++scans };
      const before = last;
      last = undefined;
      resting?.begin(before, pids);
      const written: number[] = [];
      let sinceYield = 0;
      for (const pid of pids) {
        if (sinceYield >= chunk) {
          sinceYield = 0;
          await yieldToLoop();
        }
        const row = columns.length;
        if (resting?.keep(pid, rows.isTurn(pid, scan), scan) === true) {
          sinceYield += keptShare;
          // It stood elsewhere: where it is now the table before has another one.
          if (before?.pid[row] !== pid) written.push(row);
          continue;
        }
        sinceYield++;
        const rests = rows.read(pid, scan);
        // It can have vanished.
        if (columns.length === row) continue;
        written.push(row);
        resting?.wrote(columns, rests);
      }
      rows.sweep(scan, resting?.kept());
      const table = tables.finish(resting === undefined ? undefined : written);
      const changes =
        before !== undefined && haveSameLives(before, table) ? { since: before, rows: written } : undefined;
      last = table;
      return { table, problems: scan.problems.list(), changes };
    },
    close: commands.close,
  };
}

export function createRowReader(parts: Required<ProcfsParts>): RowReader {
  const reader = createFileReader(undefined, parts.calls);
  const countOpenFiles = createOpenFilesCounter(parts.root, parts.calls);
  let problems = createProblems();
  const lives = createLives({
    root: parts.root,
    reader,
    commands: parts.commands,
    problems: () => problems,
    rereadEvery: 60,
    needsLimits: true,
    // Read with the rest of status at each scan.
    needsContainerPid: false,
  });
  // As the sighting, one object for all.
  const tools = { ...parts, reader, countOpenFiles, lives, sighting: createSighting() };
  return {
    read: (pid, scan) => {
      problems = scan.problems;
      return readProcess(pid, tools, scan);
    },
    isTurn: (pid, { number }) => lives.isTurn(pid, number),
    sweep: ({ number }, kept) => lives.sweep(number, kept),
  };
}

interface Tools extends Required<ProcfsParts> {
  readonly reader: FileReader;
  readonly countOpenFiles: ReturnType<typeof createOpenFilesCounter>;
  readonly lives: Lives;
  readonly sighting: ReturnType<typeof createSighting>;
}

/** The PIDs of a procfs, ascending. @throws AgentError `unavailable` when it cannot be listed */
export function listPids(root: string): Int32Array {
  let names: string[];
  try {
    names = readdirSync(root);
  } catch (error) {
    throw new AgentError("unavailable", `${root} cannot be listed: ${reasonOf(error)} (--path.procfs)`, {
      cause: error,
    });
  }
  return Int32Array.from(names.filter((name) => /^[1-9]\d{0,8}$/.test(name)).map(Number)).sort();
}

/** @returns as `RowReader.read` */
function readProcess(pid: number, tools: Tools, scan: RowScan): boolean {
  const { reader, lives } = tools;
  const { problems, columns } = scan;
  const folder = `${tools.root}/${pid}`;
  const length = reader.read(`${folder}/stat`);
  if (typeof length === "string") {
    if (length !== "gone") problems.add(length, "/proc/PID/stat", "the kernel refused to give stat");
    return false;
  }
  const stat = parseStat(reader.bytes, length);
  if (stat === undefined || stat.pid !== pid) {
    problems.add("malformed", "/proc/PID/stat", "not in the form of proc_pid_stat(5)");
    return false;
  }
  const life = lives.update(sightingOf(stat, tools), scan.number);
  const status = readStatus(folder, tools, scan);
  const row = columns.length++;
  writeStat(row, stat, life, columns, tools.units);
  writeStatus(row, status, columns);
  writeCosts(row, folder, stat, tools, scan);
  // What could not be read is tried each time, and told of.
  const isWhole =
    status !== undefined && !Number.isNaN((columns.openFiles[row] ?? 0) + (columns.readBytes[row] ?? 0));
  return isWhole && restOf(life) !== rests.none;
}

function sightingOf(stat: Stat, { sighting, reader }: Tools): Sighting {
  sighting.pid = stat.pid;
  sighting.startTicks = stat.startTicks;
  sighting.state = stat.state;
  sighting.flags = stat.flags;
  sighting.bytes = reader.bytes;
  sighting.commFrom = stat.commFrom;
  sighting.commEnd = stat.commEnd;
  return sighting;
}

function readStatus(folder: string, { reader }: Tools, { problems }: RowScan): Status | undefined {
  const length = reader.read(`${folder}/status`);
  if (typeof length === "number") return parseStatus(reader.bytes, length);
  if (length !== "gone") problems.add(length, "/proc/PID/status", "the kernel refused to give status");
  return undefined;
}

function writeStat(row: number, stat: Stat, life: Life, columns: ColumnWriter, units: KernelUnits): void {
  columns.pid[row] = stat.pid;
  columns.startTicks[row] = stat.startTicks;
  columns.parentPid[row] = stat.parentPid;
  columns.state[row] = stat.state;
  columns.flags[row] = stat.flags;
  columns.threads[row] = stat.threads;
  columns.userSeconds[row] = stat.userTicks / units.ticksPerSecond;
  columns.systemSeconds[row] = stat.systemTicks / units.ticksPerSecond;
  columns.residentBytes[row] = stat.residentPages * units.pageBytes;
  columns.virtualBytes[row] = stat.virtualBytes;
  columns.minorFaults[row] = stat.minorFaults;
  columns.majorFaults[row] = stat.majorFaults;
  columns.openFilesLimit[row] = life.openFilesLimit;
  columns.name[row] = life.name;
  columns.command[row] = life.command;
  columns.cgroup[row] = life.cgroup;
}

function writeStatus(row: number, status: Status | undefined, columns: ColumnWriter): void {
  columns.userId[row] = status?.userId ?? Number.NaN;
  columns.swapBytes[row] = status?.swapBytes ?? Number.NaN;
  columns.voluntarySwitches[row] = status?.voluntarySwitches ?? Number.NaN;
  columns.involuntarySwitches[row] = status?.involuntarySwitches ?? Number.NaN;
  const innermost = status?.innermostPid ?? Number.NaN;
  columns.containerPid[row] = Number.isNaN(innermost) ? -1 : innermost;
}

/** I/O and open files: a kernel thread has neither, a zombie has closed its files. */
function writeCosts(row: number, folder: string, stat: Stat, tools: Tools, scan: RowScan): void {
  const { reader } = tools;
  const { columns, problems } = scan;
  const isKernel = (stat.flags & kernelThreadFlag) !== 0;
  const isZombie = stat.state === "Z".charCodeAt(0);
  columns.readBytes[row] = isKernel ? 0 : Number.NaN;
  columns.writtenBytes[row] = isKernel ? 0 : Number.NaN;
  columns.openFiles[row] = isKernel || isZombie ? 0 : tools.countOpenFiles(stat.pid, problems);
  if (isKernel) return;
  const length = reader.read(`${folder}/io`);
  if (typeof length === "string") {
    if (length !== "gone") problems.add(length, "/proc/PID/io", "needs the process's user or CAP_SYS_PTRACE");
    return;
  }
  const io = parseIo(reader.bytes, length);
  if (io === undefined) {
    problems.add("malformed", "/proc/PID/io", "not in the form of proc_pid_io(5)");
    return;
  }
  columns.readBytes[row] = io.readBytes;
  columns.writtenBytes[row] = io.writtenBytes;
}
