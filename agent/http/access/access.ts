import type { IncomingMessage } from "node:http";
import type { Actor } from "../../api.ts";
import type { Role } from "./roles.ts";

/** Who asks, and what he may do. */
export interface Caller {
  readonly role: Role;
  readonly actor: Actor;
}

/** How a listener knows who asks. */
export interface Access {
  /** Where there are no users nobody can get more rights than all have. */
  readonly hasUsers: () => boolean;
  /** @throws AgentError `unauthorized`, `unavailable`, `too_many` */
  readonly authenticate: (request: IncomingMessage) => Promise<Caller>;
  /** For each answer. */
  readonly headers: () => Readonly<Record<string, string>>;
}

/** Who asks over TCP: what is known beside the name is where from. */
export function networkActor({ socket }: IncomingMessage, user: string | null): Actor {
  return {
    uid: null,
    gid: null,
    pid: null,
    user,
    from: `tcp://${socket.remoteAddress}:${socket.remotePort}`,
  };
}
