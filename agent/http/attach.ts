import http from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { AgentError } from "../errors.ts";
import type { Access } from "./access/access.ts";
import { requireRole } from "./actor.ts";
import { problemHeaders, toProblem } from "./error-handler.ts";
import { attachQuery } from "./exec-schemas.ts";
import type { AppParts, TerminalSession } from "./parts.ts";
import type { UpgradeListener } from "./servers.ts";
import { type Bridge, bridgeTerminal } from "./terminal-bridge.ts";
import { validate } from "./validate.ts";

/** The door for terminals: what a server does with connections that ask to become a WebSocket. */
export interface AttachDoor {
  readonly upgrade: UpgradeListener;
  /** Ends all sessions, and takes no more. */
  close(): Promise<void>;
}

const path = "/api/v1/attach";
/** A message of what a person types or pastes, at most. */
const maxMessageBytes = 1 << 20;

/**
 * Everything that can be wrong is told before the connection becomes a WebSocket, by a problem document.
 * @param heartbeatMs time between two pings; 30 s when left out
 */
export function createAttachDoor(parts: AppParts, access: Access, heartbeatMs = 30_000): AttachDoor {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  });
  const bridges = new Set<Bridge>();
  let isClosing = false;
  const connect = async (request: http.IncomingMessage, socket: Socket, head: Buffer): Promise<void> => {
    if (isClosing) throw leaving();
    const url = readUrl(request);
    const caller = await access.authenticate(request);
    requireRole(caller, "admin", path, access, parts);
    const session = await parts.attach(readQuery(request, url), caller.actor);
    if (isClosing || socket.destroyed) {
      await session.close();
      throw leaving();
    }
    upgradeWith(session, request, socket, head);
  };
  const upgradeWith = (
    session: TerminalSession,
    request: http.IncomingMessage,
    socket: Socket,
    head: Buffer,
  ): void => {
    let isOpen = false;
    // What the library still finds wrong with a request it answers itself.
    socket.once("close", () => {
      if (!isOpen) void session.close();
    });
    server.handleUpgrade(request, socket, head, (webSocket) => {
      isOpen = true;
      const bridge = bridgeTerminal(webSocket, session, heartbeatMs, parts.log);
      bridges.add(bridge);
      webSocket.once("close", () => bridges.delete(bridge));
    });
  };
  return {
    upgrade: (request, duplex, head) => {
      const socket = duplex as Socket;
      // Until the library takes over, nobody else listens.
      const ignore = (): void => {};
      socket.on("error", ignore);
      connect(request, socket, head).catch((error: unknown) => {
        const known = error instanceof AgentError ? error : undefined;
        if (known === undefined) parts.log.error("unexpected error", { path, error });
        refuse(
          socket,
          access.headers(),
          known ?? new AgentError("internal", "a fault of pidward itself; its log has the details"),
        );
      });
    },
    close: async () => {
      isClosing = true;
      await Promise.all([...bridges].map((bridge) => bridge.end(leaving())));
    },
  };
}

function leaving(): AgentError {
  return new AgentError("unavailable", "the agent is stopping");
}

/** @throws AgentError for another place */
function readUrl(request: http.IncomingMessage): URL {
  const url = new URL(request.url ?? "/", "http://pidward");
  if (url.pathname !== path)
    throw new AgentError("not_found", `no WebSocket at ${url.pathname}; there is one at ${path}`);
  return url;
}

/** @throws AgentError for what may not be, or is not, asked for */
function readQuery(request: http.IncomingMessage, url: URL) {
  refuseForeignPage(request);
  refuseOther(request);
  return validate(attachQuery, groupQuery(url.searchParams), "query");
}

function groupQuery(params: URLSearchParams): Record<string, string | string[]> {
  return Object.fromEntries(
    [...new Set(params.keys())].map((name) => {
      const values = params.getAll(name);
      const isList = name === "argv" || name === "env";
      return [name, isList || values.length > 1 ? values : (values[0] ?? "")];
    }),
  );
}

/** A browser names the page that asks (RFC 6455, section 10.2), and lets any page ask: only the agent's own may. */
function refuseForeignPage({ headers }: http.IncomingMessage): void {
  const { origin, host } = headers;
  if (origin === undefined) return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new AgentError(
    "no_rights",
    `a page of ${origin.slice(0, 200)} may not attach; only one of ${host} may`,
  );
}

/** The library would find this too, but only after the command has started. */
function refuseOther({ method, headers }: http.IncomingMessage): void {
  const isWebSocket =
    method === "GET" &&
    headers.upgrade?.toLowerCase() === "websocket" &&
    headers["sec-websocket-version"] === "13" &&
    /^[+/0-9A-Za-z]{22}==$/.test(headers["sec-websocket-key"] ?? "");
  if (!isWebSocket) throw new AgentError("bad_request", `${path} takes WebSockets of version 13 only`);
}

/** @param own headers that every answer bears */
function refuse(socket: Duplex, own: Readonly<Record<string, string>>, error: AgentError): void {
  if (!socket.writable) return;
  const body = JSON.stringify(toProblem(error));
  const headers = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    ...own,
    ...problemHeaders(error),
    "Content-Type": "application/problem+json; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
    Connection: "close",
  };
  socket.end(
    [
      `HTTP/1.1 ${error.status} ${http.STATUS_CODES[error.status] ?? ""}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      "",
      body,
    ].join("\r\n"),
  );
}
