import type { AuditQuery, AuditRecord } from "../api.ts";

/** Whether a record is one of those that were asked for. */
export function fitsQuery(record: AuditRecord, { container, user, action }: AuditQuery): boolean {
  if (action !== undefined && record.action !== action) return false;
  if (user !== undefined && record.actor?.user !== user && String(record.actor?.uid) !== user) return false;
  return (
    container === undefined ||
    record.containerName === container ||
    record.container?.startsWith(container) === true
  );
}

/** The record of a line; undefined for a line that a crash has cut off, and for what is no record. */
export function parseRecord(line: string): AuditRecord | undefined {
  if (line === "") return undefined;
  try {
    const value: unknown = JSON.parse(line);
    // Records from before the field have none.
    return isRecord(value) ? { ...value, exitCode: value.exitCode ?? null } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isRecord(value: unknown): value is AuditRecord {
  return typeof value === "object" && value !== null && "id" in value && "phase" in value && "refs" in value;
}
