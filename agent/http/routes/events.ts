import type { EventQuery, EventRecord } from "../../api.ts";
import { AgentError } from "../../errors.ts";
import { createEventStreams, type EventStream } from "../event-stream.ts";
import type { AppParts } from "../parts.ts";
import { type Route, route } from "../route.ts";
import { eventQuery } from "../schemas.ts";

export function eventRoutes(parts: AppParts): readonly Route[] {
  const open = createEventStreams("events", parts.log);
  return [
    route({
      method: "get",
      path: "/api/v1/events",
      summary:
        "Server-sent events: started, exited, restarted, container changes; Last-Event-ID goes on after an event",
      query: eventQuery,
      answer: { contentType: "text/event-stream" },
      handle: ({ query, request, response }) => {
        const lastId = request.get("last-event-id");
        const first = lastId === undefined ? undefined : parts.events.after(lastId);
        if (lastId !== undefined && first === undefined)
          throw new AgentError("bad_request", `Last-Event-ID "${lastId}" is no id of an event`);
        const stream = open(response);
        if (first !== undefined && first.missed !== 0) stream.send("missed", { missed: first.missed });
        const remembered = first?.events ?? parts.events.tail(query.last ?? 0);
        for (const event of remembered) if (fits(event, query)) stream.send(event.type, event, event.id);
        if (query.follow === false) stream.end();
        else follow(query, stream, parts);
      },
    }),
  ];
}

function follow(query: EventQuery, stream: EventStream, parts: AppParts): void {
  const stop = parts.events.listen(
    (event) => {
      if (fits(event, query)) stream.send(event.type, event, event.id);
    },
    () => stream.end(),
  );
  stream.follow(stop);
}

function fits(event: EventRecord, { container, program, type }: EventQuery): boolean {
  if (type !== undefined && event.type !== type) return false;
  if (program !== undefined && (event.type === "container" || event.program !== program)) return false;
  return (
    container === undefined ||
    event.container?.name === container ||
    event.container?.id.startsWith(container) === true
  );
}
