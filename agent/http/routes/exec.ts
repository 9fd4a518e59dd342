import type { Response } from "express";
import { AgentError } from "../../errors.ts";
import { attachQuery, execAnswer, execRequest } from "../exec-schemas.ts";
import type { AppParts } from "../parts.ts";
import { type Route, route } from "../route.ts";

/** Room for 8 MiB of input in base64. */
const maxBodyBytes = 12 << 20;

export function execRoutes(parts: AppParts): readonly Route[] {
  return [
    route({
      method: "post",
      path: "/api/v1/exec",
      summary:
        "Run a command in a container: an argument vector, no shell, both outputs apart and byte-exact",
      body: execRequest,
      answer: execAnswer,
      role: "admin",
      maxBodyBytes,
      handle: ({ body, caller, response }) => parts.exec(body, caller.actor, whenGone(response)),
    }),
    route({
      method: "get",
      path: "/api/v1/attach",
      summary:
        "WebSocket: a terminal in a container. Binary messages are its bytes; text messages are JSON: resize, exit, error",
      query: attachQuery,
      answer: { contentType: "text/plain" },
      role: "admin",
      upgrades: true,
      handle: () => {
        throw new AgentError("bad_request", "/api/v1/attach takes WebSockets only (Upgrade: websocket)");
      },
    }),
  ];
}

/** Aborts when the client has closed the connection before it was answered. */
function whenGone(response: Response): AbortSignal {
  const gone = new AbortController();
  const leave = (): void => {
    if (!response.writableFinished) gone.abort();
  };
  response.once("close", leave);
  if (response.destroyed) leave();
  return gone.signal;
}
