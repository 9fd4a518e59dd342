import type { Response } from "express";
import type { AuditQuery, AuditRecord, AuditTail } from "../../api.ts";
import { auditQuery, auditTail } from "../act-schemas.ts";
import { createEventStreams, type EventStream } from "../event-stream.ts";
import type { AppParts } from "../parts.ts";
import { type Route, route } from "../route.ts";

export function auditRoutes(parts: AppParts): readonly Route[] {
  const open = createEventStreams("the audit", parts.log);
  return [
    route({
      method: "get",
      path: "/api/v1/audit",
      summary:
        "The last records of what was done, oldest first; follow=true goes on with those to come, as server-sent events",
      query: auditQuery,
      answer: auditTail,
      handle: async ({ query, response }): Promise<AuditTail | undefined> => {
        if (query.follow !== true) return { records: await parts.audit.tail(query) };
        await follow(query, response, open, parts);
        return undefined;
      },
    }),
  ];
}

/** The last ones, then those to come, each once: what comes while the file is read waits for its turn. */
async function follow(
  query: AuditQuery,
  response: Response,
  open: (response: Response) => EventStream,
  parts: AppParts,
): Promise<void> {
  let stream: EventStream | undefined;
  const waiting: AuditRecord[] = [];
  const send = (record: AuditRecord): void => stream?.send(record.phase, record);
  const stop = parts.audit.listen(
    query,
    (record) => {
      if (stream === undefined) waiting.push(record);
      else send(record);
    },
    () => response.end(),
  );
  try {
    const records = await parts.audit.tail(query);
    stream = open(response);
    const told = new Set(records.map(keyOf));
    for (const record of [...records, ...waiting.filter((one) => !told.has(keyOf(one)))]) send(record);
    stream.follow(stop);
  } catch (error) {
    stop();
    throw error;
  }
}

function keyOf(record: AuditRecord): string {
  return `${record.id} ${record.phase}`;
}
