import type { Request } from "express";
import type { Actor } from "../../api.ts";
import type { AppParts } from "../parts.ts";
import { type Route, route } from "../route.ts";
import { restartAnswer, restartRequest, signalAnswer, signalRequest } from "../schemas.ts";

export function controlRoutes(parts: AppParts): readonly Route[] {
  const actorOf = (request: Request): Actor => {
    const peer = parts.peerOf(request.socket);
    return { uid: peer?.uid ?? null, pid: peer?.pid ?? null, from: parts.controlAddress };
  };
  return [
    route({
      method: "post",
      path: "/api/v1/signal",
      summary: "Send a signal, wait for the end, with a tree of processes if asked",
      body: signalRequest,
      answer: signalAnswer,
      acts: true,
      handle: ({ body, request }) => parts.signal(body, actorOf(request)),
    }),
    route({
      method: "post",
      path: "/api/v1/restart",
      summary: "Restart a program, a process or a container, and wait until the new one has settled",
      body: restartRequest,
      answer: restartAnswer,
      acts: true,
      handle: ({ body, request }) => parts.restart(body, actorOf(request)),
    }),
  ];
}
