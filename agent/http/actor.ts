import type { Socket } from "node:net";
import type { Actor } from "../api.ts";
import { AgentError } from "../errors.ts";
import type { AppParts } from "./parts.ts";

/** Who asks, by the kernel's word. */
export function actorOf(socket: Socket, parts: AppParts): Actor {
  const unknown = { uid: null, gid: null, pid: null, user: null };
  return { ...(parts.peerOf(socket) ?? unknown), from: parts.controlAddress };
}

/** The refusal of what acts where only reads are answered. */
export function noRights(path: string, parts: AppParts): AgentError {
  return new AgentError(
    "no_rights",
    `${path} acts, and this listener answers reads only; use the socket ${parts.controlAddress}`,
  );
}
