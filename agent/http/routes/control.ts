import { signalAnswer, signalRequest } from "../act-schemas.ts";
import type { AppParts } from "../parts.ts";
import { type Route, route } from "../route.ts";
import { restartAnswer, restartRequest } from "../schemas.ts";

export function controlRoutes(parts: AppParts): readonly Route[] {
  return [
    route({
      method: "post",
      path: "/api/v1/signal",
      summary: "Send a signal and wait for the end, or have processes stopped by who would start them again",
      body: signalRequest,
      answer: signalAnswer,
      role: "operator",
      handle: ({ body, caller }) => parts.signal(body, caller.actor),
    }),
    route({
      method: "post",
      path: "/api/v1/restart",
      summary: "Restart a program, a process or a container, and wait until the new one has settled",
      body: restartRequest,
      answer: restartAnswer,
      role: "operator",
      handle: ({ body, caller }) => parts.restart(body, caller.actor),
    }),
  ];
}
