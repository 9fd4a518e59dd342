import http from "node:http";
import https from "node:https";
import net from "node:net";
import type { WebSocket } from "ws";
import { AgentError, type ErrorCode, errorCatalogue, reasonOf, systemCode } from "../errors.ts";
import { isLoopback } from "../loopback.ts";
import type { Credentials } from "./credentials.ts";

/** Fields that are undefined are left out; those with several values stand there several times. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Speaks to a running agent. Every failure is an AgentError with the code that the agent gave. */
export interface ApiClient {
  /** @param answers statuses beyond 2xx that come with an answer of that shape, not with a problem */
  get<T>(path: string, query?: Query, answers?: readonly number[]): Promise<T>;
  post<T>(path: string, body: unknown, limitMs: number): Promise<T>;
  /**
   * Reads server-sent events until the agent ends the stream.
   * @param take the data of each event
   */
  stream(path: string, query: Query, take: (data: string) => void): Promise<void>;
  /** Opens a WebSocket. It is paused, so that nothing comes before somebody listens. */
  connect(path: string, query: Query): Promise<WebSocket>;
}

const readLimitMs = 30_000;
const maxAnswerBytes = 64 << 20;

/**
 * @param host `unix:///run/pidward/pidward.sock` or `http(s)://host:port`
 * @throws AgentError `bad_request` for another form, and for a token that would cross the network in the clear
 */
export function createApiClient(host: string, credentials: Credentials = {}): ApiClient {
  const target = readHost(host, credentials);
  const ask = async <T>(
    method: string,
    path: string,
    body: unknown,
    limitMs: number,
    answers: readonly number[] = [],
  ): Promise<T> => {
    try {
      const { status, text } = await exchange(target, method, path, body, limitMs);
      if ((status >= 200 && status < 300) || answers.includes(status)) return JSON.parse(text);
      throw toError(status, text, host);
    } catch (error) {
      throw error instanceof AgentError ? error : unreachable(error, host);
    }
  };
  return {
    get: (path, query = {}, answers = []) =>
      ask("GET", withQuery(path, query), undefined, readLimitMs, answers),
    post: (path, body, limitMs) => ask("POST", path, body, limitMs),
    stream: async (path, query, take) => {
      try {
        const refusal = await readStream(target, withQuery(path, query), take);
        if (refusal !== undefined) throw toError(refusal.status, refusal.text, host);
      } catch (error) {
        throw error instanceof AgentError ? error : unreachable(error, host);
      }
    },
    connect: async (path, query) => {
      try {
        return await openSocket(target, withQuery(path, query), host);
      } catch (error) {
        throw error instanceof AgentError ? error : unreachable(error, host);
      }
    },
  };
}

/** Only terminals need the library. */
async function openSocket(target: Target, path: string, host: string): Promise<WebSocket> {
  const { WebSocket: Socket } = await import("ws");
  const { socketPath, headers, ca, cert, key } = target.options;
  const tls = { ...(ca === undefined ? {} : { ca }), ...(cert === undefined ? {} : { cert, key }) };
  const options = { perMessageDeflate: false, headers, ...tls };
  const socket =
    typeof socketPath === "string"
      ? new Socket(`ws://pidward${path}`, {
          ...options,
          createConnection: () => net.connect({ path: socketPath }),
        })
      : new Socket(new URL(path, host.replace(/^http/, "ws")), options);
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("unexpected-response", (_request, response) => {
      readText(response).then((text) => reject(toError(response.statusCode ?? 0, text, host)), reject);
    });
    socket.once("open", () => {
      socket.off("error", reject);
      socket.pause();
      resolve(socket);
    });
  });
}

async function readText(response: http.IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  return text;
}

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    [value ?? []].flat().map((one): [string, string] => [name, one]),
  );
  const search = new URLSearchParams(given).toString();
  return search === "" ? path : `${path}?${search}`;
}

/** @returns the answer when it is no stream */
function readStream(
  target: Target,
  path: string,
  take: (data: string) => void,
): Promise<{ status: number; text: string } | undefined> {
  return new Promise((resolve, reject) => {
    const options = {
      ...target.options,
      path,
      agent: false,
      headers: { ...target.options.headers, accept: "text/event-stream" },
    };
    const request = target.module.get(options, (response) => {
      const status = response.statusCode ?? 0;
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
        if (status !== 200) return;
        // Events are blocks of lines, divided by an empty one; what is behind the last of those is not complete yet.
        const blocks = text.split("\n\n");
        text = blocks.pop() ?? "";
        for (const block of blocks) {
          const data = block
            .split("\n")
            .flatMap((line) => (line.startsWith("data: ") ? [line.slice("data: ".length)] : []));
          if (data.length > 0) take(data.join("\n"));
        }
      });
      response.once("error", reject);
      response.once("end", () => resolve(status === 200 ? undefined : { status, text }));
    });
    request.once("error", reject);
  });
}

interface Target {
  readonly module: typeof http | typeof https;
  /** With headers that each request bears. */
  readonly options: https.RequestOptions & { readonly headers: Readonly<Record<string, string>> };
}

function readHost(host: string, { token, ...tls }: Credentials): Target {
  if (host.startsWith("unix:///")) {
    return {
      module: http,
      options: { socketPath: host.slice("unix://".length), host: "pidward", headers: {} },
    };
  }
  const url = URL.canParse(host) ? new URL(host) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw new AgentError("bad_request", `--host: "${host}" is neither unix:///path nor http(s)://host:port`);
  }
  const isSecure = url.protocol === "https:";
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  if (token !== undefined && !isSecure && !isLoopback(hostname))
    throw new AgentError("bad_request", `--host: a token is not sent to ${host} in the clear; use https://`);
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return {
    module: isSecure ? https : http,
    options: { hostname, port: url.port, headers, ...(isSecure ? tls : {}) },
  };
}

function exchange(
  target: Target,
  method: string,
  path: string,
  body: unknown,
  limitMs: number,
): Promise<{ status: number; text: string }> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    ...target.options.headers,
    ...(payload === undefined ? {} : { "content-type": "application/json" }),
  };
  const options = { ...target.options, method, path, headers, signal: AbortSignal.timeout(limitMs) };
  return new Promise((resolve, reject) => {
    const request = target.module.request(options, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on("data", (chunk: Buffer) => {
        length += chunk.length;
        if (length > maxAnswerBytes) request.destroy(new Error(`the answer is over ${maxAnswerBytes} bytes`));
        else chunks.push(chunk);
      });
      response.once("error", reject);
      response.once("end", () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") });
      });
    });
    request.once("error", reject);
    request.end(payload);
  });
}

function toError(status: number, text: string, host: string): AgentError {
  const fallback = new AgentError("failed", `${host} answered ${status}: ${text.slice(0, 200)}`);
  try {
    const { type: _, title: __, status: ___, code, detail, ...details } = JSON.parse(text);
    return isCode(code) && typeof detail === "string" ? new AgentError(code, detail, { details }) : fallback;
  } catch {
    // No problem document: something else answers there.
    return fallback;
  }
}

function isCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(errorCatalogue, code);
}

/** Codes of OpenSSL's verification and of Node's check of names. */
const untrusted =
  /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|ALTNAME_INVALID|CERT_(UNTRUSTED|HAS_EXPIRED|NOT_YET_VALID)/;

function unreachable(error: unknown, host: string): AgentError {
  const code = systemCode(error);
  const isLate =
    typeof error === "object" && error !== null && "name" in error && error.name === "TimeoutError";
  if (code === "EACCES") {
    return new AgentError(
      "no_rights",
      `${host} may not be used by you; it is for root and the socket's group`,
    );
  }
  if (code === "ENOENT" || code === "ECONNREFUSED") {
    return new AgentError(
      "unavailable",
      `no agent answers at ${host}; start one with "npm start" or "pidward agent", or name another with --host`,
    );
  }
  if (code !== undefined && untrusted.test(code))
    return new AgentError(
      "unavailable",
      `the certificate of ${host} is not trusted (${code}); name who has signed it by --ca`,
      { cause: error },
    );
  const why = isLate ? "no answer in time" : reasonOf(error);
  return new AgentError("unavailable", `asking ${host} failed: ${why}`, { cause: error });
}
