import { chmodSync, lstatSync, mkdirSync, unlinkSync } from "node:fs";
import http, { type RequestListener } from "node:http";
import https from "node:https";
import net from "node:net";
import { dirname } from "node:path";
import type { Duplex } from "node:stream";
import type { SecureContextOptions, TLSSocket } from "node:tls";
import { AgentError, reasonOf, systemCode } from "../errors.ts";
import type { Logger } from "../log.ts";

/** A listener that runs. */
export interface Listener {
  /** `127.0.0.1:10776`, or `unix:///run/pidward/pidward.sock`. */
  readonly address: string;
  /** Takes no more requests, finishes those under way within the grace, then ends the rest. */
  close(graceMs: number): Promise<void>;
}

/** Takes a connection that asks to become something else, as http.Server's `upgrade` event hands it over. */
export type UpgradeListener = (request: http.IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Requests that send their head or body slowly are ended; a restart may take minutes to answer. */
const requestTimeoutMs = 30_000;
/** What is slow to send its head is ended within ten seconds, looked for this often. */
const headTimeouts = { headersTimeout: 10_000, connectionsCheckingInterval: 5_000 };
/** Of a listener; the others are closed at once. More than its reads, so that these are refused in words. */
const maxConnections = 1_024;

/** What makes a TCP listener an HTTPS one. */
export interface TlsListening {
  readonly context: SecureContextOptions;
  readonly requestCert: boolean;
  /** What is wrong with the client's certificate; undefined: it may come in. */
  readonly refuse: (socket: TLSSocket) => string | undefined;
  readonly log: Pick<Logger, "debug">;
}

/** A TCP listener; with TLS its certificates can be changed while it runs. */
export interface TcpListener extends Listener {
  readonly setContext: (context: SecureContextOptions) => void;
}

/** @throws AgentError `unavailable` that names the address and the setting */
export async function listenTcp(
  app: RequestListener,
  host: string,
  port: number,
  upgrade?: UpgradeListener,
  tls?: TlsListening,
): Promise<TcpListener> {
  const server = tls === undefined ? createServer(app) : createTlsServer(app, tls);
  if (upgrade !== undefined) server.on("upgrade", upgrade);
  const wanted = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  try {
    await listen(server, host === "" ? { port } : { host, port });
  } catch (error) {
    const why = systemCode(error) === "EADDRINUSE" ? "another program listens there" : reasonOf(error);
    throw new AgentError("unavailable", `cannot listen on ${wanted}: ${why} (--web.listen-address)`, {
      cause: error,
    });
  }
  const bound = server.address();
  const actual = typeof bound === "object" && bound !== null ? bound.port : port;
  return {
    address: `${host.includes(":") ? `[${host}]` : host}:${actual}`,
    close: closing(server),
    setContext: (context) => {
      if (server instanceof https.Server) server.setSecureContext(context);
    },
  };
}

/**
 * Listens on a unix socket with mode 0660. A socket that nobody answers on is what a killed agent left: it is replaced.
 * @throws AgentError `unavailable` that names the path and the setting
 */
export async function listenUnix(
  app: RequestListener,
  path: string,
  upgrade?: UpgradeListener,
): Promise<Listener> {
  const refuse = (why: string, cause?: unknown): AgentError =>
    new AgentError("unavailable", `cannot listen on ${path}: ${why} (--control.socket)`, { cause });
  // Longer paths are cut by the system without an error (unix(7): 108 bytes with the final NUL).
  if (Buffer.byteLength(path) > 107) throw refuse("the path is longer than 107 bytes");
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    await clearStale(path, refuse);
  } catch (error) {
    throw error instanceof AgentError ? error : refuse(reasonOf(error), error);
  }
  const server = createServer(app);
  if (upgrade !== undefined) server.on("upgrade", upgrade);
  // The file is made inside listen(): with this mask it is 0660 from the first moment.
  const mask = process.umask(0o117);
  try {
    const listening = listen(server, { path });
    process.umask(mask);
    await listening;
    chmodSync(path, 0o660);
  } catch (error) {
    throw refuse(reasonOf(error), error);
  } finally {
    process.umask(mask);
  }
  return { address: `unix://${path}`, close: closing(server) };
}

async function clearStale(path: string, refuse: (why: string) => AgentError): Promise<void> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isSocket()) throw refuse("there is a file that is no socket");
  if (await answers(path)) throw refuse("another agent answers there");
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => {
      const code = systemCode(error);
      if (code === "ECONNREFUSED" || code === "ENOENT") resolve(false);
      else reject(error);
    });
  });
}

function createServer(app: RequestListener): http.Server {
  const server = http.createServer({ requestTimeout: requestTimeoutMs, ...headTimeouts }, app);
  server.maxConnections = maxConnections;
  return server;
}

function createTlsServer(
  app: RequestListener,
  { context, requestCert, refuse, log }: TlsListening,
): https.Server {
  // Who shows no certificate, or a wrong one, is refused below: what is allowed can change while the server runs.
  const options = { ...context, requestCert, rejectUnauthorized: false };
  const server = https.createServer({ ...options, requestTimeout: requestTimeoutMs, ...headTimeouts }, app);
  server.maxConnections = maxConnections;
  // Before the HTTP server's own, so that no request of such a client is read.
  server.prependListener("secureConnection", (socket: TLSSocket) => {
    const reason = refuse(socket);
    if (reason === undefined) return;
    log.debug("a TLS client was refused", { from: socket.remoteAddress ?? "", reason });
    socket.destroy();
  });
  server.on("tlsClientError", (error, socket) => {
    log.debug("a TLS handshake failed", { from: socket.remoteAddress ?? "", reason: reasonOf(error) });
  });
  return server;
}

function listen(server: http.Server | https.Server, where: net.ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function closing(server: http.Server | https.Server): (graceMs: number) => Promise<void> {
  return (graceMs) =>
    new Promise((resolve) => {
      const late = setTimeout(() => server.closeAllConnections(), graceMs);
      server.close(() => {
        clearTimeout(late);
        resolve();
      });
      server.closeIdleConnections();
    });
}
