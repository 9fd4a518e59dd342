import type { Readable } from "node:stream";
import type Modem from "docker-modem";
import { AgentError, reasonOf, systemCode } from "../errors.ts";
import type { Container } from "../model.ts";
import { toContainer, toExecStatus, toLayer } from "./docker-answers.ts";
import { containerPath, createDockerCalls, type ExecConfig, isContainerId } from "./docker-calls.ts";
import { type Limited, startAttached } from "./docker-exec.ts";
import type { AttachedExec, AttachRequest, ExecRequest, ExecStatus, WritableLayer } from "./runtime.ts";

export interface DockerClientParts {
  /** A socket's path, `unix:///path`, `tcp://host:port` or `http://host:port`. */
  readonly endpoint: string;
  /** Longest wait for an answer. */
  readonly limitMs: number;
  /** Ends every call under way when the agent stops. */
  readonly stop: AbortSignal;
}

export interface DockerVersion {
  readonly version: string;
  /** `docker`, or `podman` behind its compatible API. */
  readonly name: "docker" | "podman";
}

/** The calls of the Docker Engine API (v1.41) that pidward makes. Each has a limit, and fails as `runtime.ts` says. */
export interface DockerClient {
  readonly address: string;
  version(): Promise<DockerVersion>;
  /** All ids, stopped containers included. */
  listIds(): Promise<readonly string[]>;
  inspect(id: string): Promise<Container | undefined>;
  measureLayer(id: string): Promise<WritableLayer | undefined>;
  /** The stream of container events, one JSON object a line; it stays open until `ended` aborts. */
  events(ended: AbortSignal): Promise<Readable>;
  startDetached(id: string, request: ExecRequest): Promise<string>;
  startAttached(id: string, request: AttachRequest): Promise<AttachedExec>;
  execStatus(execId: string): Promise<ExecStatus | undefined>;
  restart(id: string, graceSeconds: number): Promise<void>;
  stop(id: string, graceSeconds: number): Promise<void>;
}

/** Walking through a large layer on a slow disk takes the engine long, and it takes no other work away. */
const layerLimitMs = 30_000;

export function createDockerClient(parts: DockerClientParts): DockerClient {
  const { engine, address } = readEndpoint(parts.endpoint);
  const calls = createDockerCalls(engine);
  const limited: Limited = async (what, limitMs, call) => {
    const late = AbortSignal.timeout(limitMs);
    try {
      return await call(AbortSignal.any([late, parts.stop]));
    } catch (error) {
      throw translate(error, what, address, late.aborted ? limitMs : undefined);
    }
  };
  const execStatus = (execId: string): Promise<ExecStatus | undefined> =>
    absent(
      limited("exec inspect", parts.limitMs, async (signal) =>
        toExecStatus(await calls.inspectExec(execId, signal)),
      ),
    );
  let name: DockerVersion["name"] = "docker";
  return {
    address,
    version: async () => {
      const answer = await limited("version", parts.limitMs, calls.version);
      const components = answer.Components ?? [];
      name = components.some((component) => component.Name.startsWith("Podman")) ? "podman" : "docker";
      return { version: answer.Version, name };
    },
    listIds: async () => {
      const listed = await limited("list", parts.limitMs, calls.list);
      return listed.map((one) => one.Id);
    },
    inspect: async (id) => {
      if (!isContainerId(id)) return undefined;
      return absent(
        limited("inspect", parts.limitMs, async (signal) =>
          toContainer(await calls.inspect(containerPath(id), signal), name),
        ),
      );
    },
    measureLayer: async (id) =>
      absent(
        limited("size", layerLimitMs, async (signal) =>
          toLayer(await calls.inspect(containerPath(id), signal, { size: true })),
        ),
      ),
    events: async (ended) => {
      const stream = await limited("events", parts.limitMs, (signal) =>
        // The limit holds for the answer's beginning only, so the call ends with `ended` and not with the limit.
        raceAbort(calls.events(ended), signal),
      );
      return stream;
    },
    startDetached: async (id, request) => {
      const { Id: execId } = await limited("exec", parts.limitMs, (signal) =>
        calls.createExec(containerPath(id), toExecConfig(request), signal),
      );
      await limited("exec start", parts.limitMs, async (signal) => {
        const answer = await calls.startDetached(execId, signal);
        answer.resume();
      });
      return execId;
    },
    startAttached: (id, request) =>
      startAttached(request, {
        calls,
        container: containerPath(id),
        limited,
        limitMs: parts.limitMs,
        status: execStatus,
        stop: parts.stop,
      }),
    execStatus,
    restart: async (id, graceSeconds) => {
      // The engine answers when the container runs again: after the grace at the latest, plus its own work.
      const limitMs = graceSeconds * 1000 + 30_000;
      await limited("restart", limitMs, (signal) => calls.restart(containerPath(id), graceSeconds, signal));
    },
    stop: async (id, graceSeconds) => {
      const limitMs = graceSeconds * 1000 + 30_000;
      await limited("stop", limitMs, async (signal) => {
        try {
          await calls.stop(containerPath(id), graceSeconds, signal);
        } catch (error) {
          // 304: it is stopped already.
          if (statusOf(error) !== 304) throw error;
        }
      });
    },
  };
}

function toExecConfig(request: ExecRequest): ExecConfig {
  return {
    Cmd: [...request.argv],
    Env: [...request.env],
    ...(request.workdir === undefined ? {} : { WorkingDir: request.workdir }),
    ...(request.user === undefined ? {} : { User: request.user }),
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
  };
}

async function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  return Promise.race([promise, aborted]);
}

async function absent<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof AgentError && error.code === "not_found") return undefined;
    throw error;
  }
}

function translate(error: unknown, what: string, address: string, limitMs: number | undefined): AgentError {
  if (error instanceof AgentError) return error;
  if (limitMs !== undefined) {
    return new AgentError(
      "unavailable",
      `Docker Engine at ${address} gave no answer to ${what} within ${limitMs / 1000} s`,
    );
  }
  const status = statusOf(error);
  if (status === undefined) {
    return new AgentError(
      "unavailable",
      `Docker Engine at ${address} cannot be reached: ${systemCode(error) ?? reasonOf(error)}`,
      {
        cause: error,
      },
    );
  }
  return new AgentError(
    status === 404 ? "not_found" : "failed",
    `Docker Engine refused ${what}: ${reasonOf(error).trim()}`,
    {
      cause: error,
    },
  );
}

function statusOf(error: unknown): number | undefined {
  const hasStatus = typeof error === "object" && error !== null && "statusCode" in error;
  return hasStatus && typeof error.statusCode === "number" ? error.statusCode : undefined;
}

/**
 * `host: ""` keeps docker-modem from taking DOCKER_HOST by itself, which has been read as a setting already, and the protocol
 * keeps it from speaking TLS to a socket because of DOCKER_TLS_VERIFY or that host's port.
 */
function readEndpoint(endpoint: string): { engine: Modem.ConstructorOptions; address: string } {
  const path = endpoint.startsWith("unix://") ? endpoint.slice("unix://".length) : endpoint;
  if (path.startsWith("/"))
    return { engine: { host: "", protocol: "http", socketPath: path }, address: `unix://${path}` };
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !["tcp:", "http:"].includes(url.protocol) || url.hostname === "") {
    throw new AgentError(
      "bad_request",
      `--docker.socket: "${endpoint}" is neither a socket's path nor unix://, tcp:// or http://`,
    );
  }
  const port = url.port === "" ? 2375 : Number(url.port);
  return {
    engine: { host: url.hostname, port, protocol: "http" },
    address: `tcp://${url.hostname}:${port}`,
  };
}
