import { randomUUID } from "node:crypto";
import { constants, existsSync } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { AuditRecord } from "../api.ts";
import { AgentError, reasonOf, systemCode } from "../errors.ts";

/** How much of the file's end is read for its last records. */
const tailBytes = 1 << 20;

export type AuditIntent = Pick<AuditRecord, "actor" | "action" | "selector" | "refs" | "container" | "how">;

/** What was done, by whom, on what: one JSON line a record. An act waits until its intent is on the disk. */
export interface Audit {
  /**
   * Writes the intent and gives its id.
   * @throws AgentError `unavailable` when it cannot be written; the act must then not happen
   */
  intend(intent: AuditIntent): Promise<string>;
  /** Writes how it ended. A failure is thrown too, but the act has happened. */
  conclude(id: string, intent: AuditIntent, outcome: string, message: string | null): Promise<void>;
  /** The last records, oldest first; lines that are no record are left out. */
  tail(limit: number): Promise<readonly AuditRecord[]>;
  /** Intents without an outcome: what was under way when an earlier agent ended. Each is noted as `unfinished` once. */
  reportUnfinished(): Promise<readonly AuditRecord[]>;
}

/** @param now milliseconds since the epoch */
export function createAudit(file: string, now: () => number): Audit {
  const write = async (record: AuditRecord): Promise<void> => {
    try {
      await appendDurably(file, `${JSON.stringify(record)}\n`);
    } catch (error) {
      throw new AgentError(
        "unavailable",
        `the audit file ${file} cannot be written: ${reasonOf(error)}; --audit.file puts it elsewhere`,
        { cause: error },
      );
    }
  };
  const stamp = () => new Date(now()).toISOString();
  const tail = async (limit: number): Promise<readonly AuditRecord[]> => {
    const records = (await readTail(file)).split("\n").flatMap(parseRecord);
    return limit === 0 ? [] : records.slice(-limit);
  };
  return {
    intend: async (intent) => {
      const id = randomUUID();
      await write({ time: stamp(), id, phase: "intent", ...intent, outcome: null, message: null });
      return id;
    },
    conclude: (id, intent, outcome, message) =>
      write({ time: stamp(), id, phase: "outcome", ...intent, outcome, message }),
    tail,
    reportUnfinished: async () => {
      const open = new Map<string, AuditRecord>();
      for (const record of await tail(Number.MAX_SAFE_INTEGER)) {
        if (record.phase === "intent") open.set(record.id, record);
        else open.delete(record.id);
      }
      for (const record of open.values()) {
        const message = "the agent ended before the outcome was known";
        await write({ ...record, time: stamp(), phase: "unfinished", message });
      }
      return [...open.values()];
    },
  };
}

async function appendDurably(file: string, line: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o750 });
  const isNew = !existsSync(file);
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
  const handle = await open(file, flags, 0o640);
  try {
    await handle.appendFile((await endsInMidLine(handle)) ? `\n${line}` : line);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  if (isNew) await syncFolder(dirname(file));
}

/** A crash can leave half a line: the next record must not become its end. */
async function endsInMidLine(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat();
  if (size === 0) return false;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== "\n".charCodeAt(0);
}

/** A new file's name is on the disk only when its folder is (fsync(2)). */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function readTail(file: string): Promise<string> {
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDONLY);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "";
    throw new AgentError("unavailable", `the audit file ${file} cannot be read: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  try {
    const { size } = await handle.stat();
    const from = Math.max(0, size - tailBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - from), 0, size - from, from);
    const text = buffer.toString("utf8", 0, bytesRead);
    // The first line is whole only at the file's beginning.
    return from === 0 ? text : text.slice(text.indexOf("\n") + 1);
  } finally {
    await handle.close();
  }
}

function parseRecord(line: string): AuditRecord[] {
  if (line === "") return [];
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? [value] : [];
  } catch {
    // A line cut off by a crash in the middle of writing it.
    return [];
  }
}

function isRecord(value: unknown): value is AuditRecord {
  return typeof value === "object" && value !== null && "id" in value && "phase" in value && "refs" in value;
}
