import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { AgentError } from "../../errors.ts";
import { type Access, networkActor } from "./access.ts";
import { hasUsers } from "./known-users.ts";
import { type CheckPassword, createPasswordCheck } from "./passwords.ts";
import { createRateLimit } from "./rate-limit.ts";
import type { Role } from "./roles.ts";
import { certificateNames } from "./tls-options.ts";
import type { WebConfig } from "./web-config.ts";

interface Known {
  readonly role: Role;
  readonly user: string;
}

/**
 * Who may come in over TCP by a web configuration. A bearer token, a user's password, or a verified client certificate
 * that has a role each tell who it is. Without users and tokens everybody who gets through TLS is a viewer.
 * @param current the configuration as it is now: it may be read anew at any time
 */
export function createWebAccess(current: () => WebConfig, monotonicMs: () => number): Access {
  const checkPassword = createPasswordCheck();
  let limited: WebConfig["rate_limit"];
  let limit: () => number | undefined = () => undefined;
  const refuseOften = (config: WebConfig): void => {
    if (config.rate_limit !== limited) {
      limited = config.rate_limit;
      limit = createRateLimit(limited?.interval ?? 0, limited?.burst ?? 1, monotonicMs);
    }
    const seconds = limit();
    if (seconds !== undefined)
      throw new AgentError("too_many", `more requests than rate_limit allows; try again in ${seconds} s`, {
        details: { retryAfterSeconds: seconds },
      });
  };
  return {
    hasUsers: () => hasUsers(current()),
    headers: () => {
      const given = Object.entries(current().http_server_config?.headers ?? {});
      return Object.fromEntries(given.filter((one): one is [string, string] => (one[1] ?? "") !== ""));
    },
    authenticate: async (request) => {
      const config = current();
      refuseOften(config);
      const known = await identify(request, config, checkPassword);
      if (known !== undefined) return { role: known.role, actor: networkActor(request, known.user) };
      if (!hasUsers(config)) return { role: "viewer", actor: networkActor(request, null) };
      throw new AgentError("unauthorized", "a user or a token is needed here");
    },
  };
}

/** Undefined: nothing was shown. @throws AgentError `unauthorized` for what was shown and does not hold */
async function identify(
  request: IncomingMessage,
  config: WebConfig,
  checkPassword: CheckPassword,
): Promise<Known | undefined> {
  const { authorization } = request.headers;
  if (authorization === undefined) return byCertificate(request, config);
  const [, scheme = "", credentials = ""] = /^(\w+) +(\S+)$/.exec(authorization) ?? [];
  const known =
    scheme.toLowerCase() === "bearer"
      ? byToken(credentials, config)
      : scheme.toLowerCase() === "basic"
        ? await byPassword(credentials, config, checkPassword)
        : undefined;
  if (known === undefined)
    throw new AgentError("unauthorized", "the user or token is not known, or its secret is wrong");
  return known;
}

function byToken(token: string, { pidward_roles: entries }: WebConfig): Known | undefined {
  const given = createHash("sha256").update(token).digest();
  let found: Known | undefined;
  // All are compared, each in the same time.
  for (const { token_sha256: hash, name = "", role } of entries) {
    if (hash !== undefined && timingSafeEqual(Buffer.from(hash, "hex"), given)) found = { role, user: name };
  }
  return found;
}

async function byPassword(
  credentials: string,
  config: WebConfig,
  checkPassword: CheckPassword,
): Promise<Known | undefined> {
  const [, user = "", password = ""] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(credentials, "base64").toString("utf8")) ?? [];
  if (!(await checkPassword(user, password, config.basic_auth_users))) return undefined;
  return { role: config.pidward_roles.find((one) => one.user === user)?.role ?? "viewer", user };
}

/** Only one that OpenSSL has verified says who somebody is. */
function byCertificate(
  { socket }: IncomingMessage,
  { pidward_roles: entries }: WebConfig,
): Known | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const names = certificateNames(socket);
  if (names === undefined) return undefined;
  const all = [...(names.common === undefined ? [] : [names.common]), ...names.alternatives];
  const entry = entries.find(({ certificate }) => certificate !== undefined && all.includes(certificate));
  return entry && { role: entry.role, user: entry.certificate ?? "" };
}
