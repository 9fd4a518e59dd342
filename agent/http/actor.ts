import { AgentError } from "../errors.ts";
import { type Access, type Caller, networkActor } from "./access/access.ts";
import { type Role, roles } from "./access/roles.ts";
import type { AppParts } from "./parts.ts";

/** Who may write to the unix socket has all rights; who it is, is the kernel's word. */
export function createSocketAccess(parts: AppParts): Access {
  const unknown = { uid: null, gid: null, pid: null, user: null };
  return {
    hasUsers: () => true,
    headers: () => ({}),
    authenticate: async ({ socket }) => ({
      role: "admin",
      actor: { ...(parts.peerOf(socket) ?? unknown), from: parts.controlAddress },
    }),
  };
}

/** Without a web configuration everybody who reaches the listener may read, and nobody may act. */
export function createReadAccess(): Access {
  return {
    hasUsers: () => false,
    headers: () => ({}),
    authenticate: async (request) => ({ role: "viewer", actor: networkActor(request, null) }),
  };
}

/** @throws AgentError `no_rights` that says what would be needed */
export function requireRole(
  caller: Caller,
  needed: Role,
  path: string,
  access: Access,
  parts: AppParts,
): void {
  if (roles.indexOf(caller.role) >= roles.indexOf(needed)) return;
  throw new AgentError(
    "no_rights",
    access.hasUsers()
      ? `${path} needs the role ${needed}; ${caller.actor.user ?? "nobody in particular"} has the role ${caller.role}`
      : `${path} acts, and this listener answers reads only; use the socket ${parts.controlAddress}`,
  );
}
