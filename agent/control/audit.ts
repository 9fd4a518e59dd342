import { randomUUID } from "node:crypto";
import type { AuditQuery, AuditRecord } from "../api.ts";
import { AgentError, reasonOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { AuditFile } from "./audit-file.ts";
import { fitsQuery, parseRecord } from "./audit-query.ts";

/** What is about to be done. The audit adds the time, the id and the container's name. */
export type AuditIntent = Omit<AuditRecord, "time" | "id" | "phase" | "containerName" | keyof AuditEnd>;

/** How it ended. */
export type AuditEnd = Pick<AuditRecord, "outcome" | "exitCode" | "message">;

/** What was done, by whom, on what: one JSON line a record. An act waits until its intent is on the disk. */
export interface Audit {
  /**
   * Writes the intent and gives its id.
   * @throws AgentError `unavailable` when it cannot be written, unless acting goes before: the act must then not happen
   */
  intend(intent: AuditIntent): Promise<string>;
  /** Writes how it ended. The act has happened: a record that cannot be written is in the log and counted. */
  conclude(id: string, intent: AuditIntent, end: AuditEnd): Promise<void>;
  /**
   * The last records that fit, oldest first; lines that are no record are left out.
   * @throws AgentError `unavailable` when the file cannot be read
   */
  tail(query: AuditQuery): Promise<readonly AuditRecord[]>;
  /** Tells of every record that fits, from now on. @returns what ends it; `onClose` is called when the audit closes */
  listen(query: AuditQuery, take: (record: AuditRecord) => void, onClose: () => void): () => void;
  /** Intents without an outcome: what was under way when an earlier agent ended. Each is noted as `unfinished` once. */
  reportUnfinished(): Promise<readonly AuditRecord[]>;
  close(): void;
}

export interface AuditParts {
  readonly file: AuditFile;
  /** Act also when the intent cannot be written. */
  readonly bestEffort: boolean;
  /** What a container is called now; null when no runtime tells. */
  readonly containerName: (id: string) => string | null;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly log: Pick<Logger, "warn" | "error">;
  /** Counts records that could not be written. */
  readonly onWriteFailure: () => void;
}

const defaultLimit = 100;

interface Listener {
  readonly query: AuditQuery;
  readonly take: (record: AuditRecord) => void;
  readonly onClose: () => void;
}

export function createAudit(parts: AuditParts): Audit {
  const { file } = parts;
  const listeners = new Set<Listener>();
  /** @returns why it is not on the disk; the log has it then. */
  const write = async (record: AuditRecord): Promise<AgentError | undefined> => {
    try {
      await file.append(JSON.stringify(record));
      return undefined;
    } catch (error) {
      const reason = reasonOf(error);
      parts.onWriteFailure();
      const level = parts.bestEffort ? "warn" : "error";
      parts.log[level]("a record could not be written to the audit file", {
        file: file.path,
        reason,
        record,
      });
      return new AgentError(
        "unavailable",
        `the audit file ${file.path} cannot be written, so nothing was done: ${reason} ` +
          "(--audit.file puts it elsewhere, --audit.best-effort acts all the same)",
        { cause: error },
      );
    }
  };
  const tell = (record: AuditRecord): void => {
    for (const { query, take } of listeners) if (fitsQuery(record, query)) take(record);
  };
  const make = (
    id: string,
    intent: AuditIntent,
    phase: AuditRecord["phase"],
    { outcome, exitCode, message }: AuditEnd,
  ): AuditRecord => ({
    time: new Date(parts.now()).toISOString(),
    id,
    phase,
    ...intent,
    containerName: intent.container === null ? null : parts.containerName(intent.container),
    outcome,
    exitCode,
    message,
  });
  const records = async function* (): AsyncGenerator<AuditRecord> {
    try {
      for await (const line of file.linesBackwards()) {
        const record = parseRecord(line);
        if (record !== undefined) yield record;
      }
    } catch (error) {
      throw new AgentError("unavailable", `the audit file ${file.path} cannot be read: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  };
  return {
    intend: async (intent) => {
      const id = randomUUID();
      const record = make(id, intent, "intent", { outcome: null, exitCode: null, message: null });
      const failure = await write(record);
      if (failure !== undefined && !parts.bestEffort) throw failure;
      tell(record);
      return id;
    },
    conclude: async (id, intent, end) => {
      const record = make(id, intent, "outcome", end);
      await write(record);
      tell(record);
    },
    tail: async (query) => {
      const limit = query.limit ?? defaultLimit;
      const found: AuditRecord[] = [];
      if (limit === 0) return found;
      for await (const record of records()) {
        if (!fitsQuery(record, query)) continue;
        found.push(record);
        if (found.length >= limit) break;
      }
      return found.reverse();
    },
    listen: (query, take, onClose) => {
      const listener = { query, take, onClose };
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    reportUnfinished: async () => {
      const open = await findUnfinished(records());
      const message = "its outcome was never written: the agent ended, or the disk was full";
      for (const record of open) {
        const time = new Date(parts.now()).toISOString();
        const failure = await write({ ...record, time, phase: "unfinished", message });
        if (failure !== undefined && !parts.bestEffort) throw failure;
      }
      return open;
    },
    close: () => {
      for (const { onClose } of [...listeners]) onClose();
      listeners.clear();
    },
  };
}

/** @param records the last one first: an outcome comes before its intent */
async function findUnfinished(records: AsyncIterable<AuditRecord>): Promise<readonly AuditRecord[]> {
  const ended = new Set<string>();
  const open: AuditRecord[] = [];
  for await (const record of records) {
    if (record.phase !== "intent") ended.add(record.id);
    else if (!ended.delete(record.id)) open.push(record);
  }
  return open.reverse();
}
