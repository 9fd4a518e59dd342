import type { Response } from "express";
import type { EventQuery, EventRecord } from "../../api.ts";
import { AgentError } from "../../errors.ts";
import type { AppParts } from "../parts.ts";
import { type Route, route } from "../route.ts";
import { eventQuery } from "../schemas.ts";

/** Streams at the same time; each costs a buffer and a walk over the events. */
const mostStreams = 64;
/** A reader that has so much waiting does not keep up: it is cut off, and can come back with its last id. */
const mostWaitingBytes = 1 << 20;
/** So that what stands between does not take a quiet stream for a dead one. */
const heartbeatMs = 15_000;

/** Server-sent events (HTML standard, section 9.2). */
export function eventRoutes(parts: AppParts): readonly Route[] {
  let streams = 0;
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
        if (streams >= mostStreams)
          throw new AgentError("unavailable", `${mostStreams} streams of events are open already`);
        streams++;
        response.once("close", () => {
          streams--;
        });
        response.status(200).set({ "Content-Type": "text/event-stream", "X-Accel-Buffering": "no" });
        // Says at once that the stream is there, also when nothing happens for long.
        response.write(": pidward\n\n");
        if (first !== undefined && first.missed !== 0)
          response.write(`event: missed\ndata: ${JSON.stringify({ missed: first.missed })}\n\n`);
        const remembered = first?.events ?? parts.events.tail(query.last ?? 0);
        for (const event of remembered) if (fits(event, query)) write(event, response);
        if (query.follow === false) response.end();
        else follow(query, response, parts);
      },
    }),
  ];
}

function follow(query: EventQuery, response: Response, parts: AppParts): void {
  const heartbeat = setInterval(() => response.write(": alive\n\n"), heartbeatMs);
  const stop = parts.events.listen(
    (event) => {
      if (!fits(event, query)) return;
      write(event, response);
      if (response.writableLength <= mostWaitingBytes) return;
      parts.log.warn("a reader of events was cut off: it does not keep up", {
        waiting: response.writableLength,
      });
      response.destroy();
    },
    () => response.end(),
  );
  response.once("close", () => {
    clearInterval(heartbeat);
    stop();
  });
}

function write(event: EventRecord, response: Response): void {
  response.write(`id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
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
