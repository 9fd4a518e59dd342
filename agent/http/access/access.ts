import type { IncomingMessage } from "node:http";
import type { Actor } from "../../api.ts";
import type { Role } from "./web-config.ts";

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
