import type { Readable } from "node:stream";
import Docker from "dockerode";
import { AgentError, reasonOf, systemCode } from "../errors.ts";
import { type Container, type ContainerState, containerStates } from "../model.ts";
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

/** Ids come from cgroup paths too, which a container can shape: nothing else may become part of a request's path. */
const idForm = /^[0-9a-f]{12,64}$/;

export function createDockerClient(parts: DockerClientParts): DockerClient {
  const { options, address } = readEndpoint(parts.endpoint);
  const docker = new Docker(options);
  const limited: Limited = async (what, limitMs, call) => {
    const late = AbortSignal.timeout(limitMs);
    try {
      return await call(AbortSignal.any([late, parts.stop]));
    } catch (error) {
      throw translate(error, what, address, late.aborted ? limitMs : undefined);
    }
  };
  const container = (id: string): Docker.Container => {
    if (!idForm.test(id))
      throw new AgentError("not_found", `"${id.slice(0, 80)}" is no container id of Docker`);
    return docker.getContainer(id);
  };
  const execStatus = (execId: string): Promise<ExecStatus | undefined> =>
    absent(
      limited("exec inspect", parts.limitMs, async (abortSignal) => {
        const status = await docker.getExec(execId).inspect({ abortSignal });
        return { running: status.Running, pid: status.Pid || null, exitCode: status.ExitCode };
      }),
    );
  let name: DockerVersion["name"] = "docker";
  return {
    address,
    version: async () => {
      // dockerode's types leave out the options of this call; it takes them.
      const ask = docker.version.bind(docker) as (options: object) => Promise<Docker.DockerVersion>;
      const answer = await limited("version", parts.limitMs, (abortSignal) => ask({ abortSignal }));
      const components = answer.Components ?? [];
      name = components.some((component) => component.Name.startsWith("Podman")) ? "podman" : "docker";
      return { version: answer.Version, name };
    },
    listIds: async () => {
      const listed = await limited("list", parts.limitMs, (abortSignal) =>
        docker.listContainers({ all: true, abortSignal }),
      );
      return listed.map((one) => one.Id);
    },
    inspect: async (id) => {
      if (!idForm.test(id)) return undefined;
      return absent(
        limited("inspect", parts.limitMs, async (abortSignal) =>
          toContainer(await container(id).inspect({ abortSignal }), name),
        ),
      );
    },
    measureLayer: async (id) =>
      absent(
        limited("size", layerLimitMs, async (abortSignal) => {
          // dockerode's types leave out this option and what it brings.
          const options: Docker.ContainerInspectOptions & { readonly size: true } = {
            size: true,
            abortSignal,
          };
          return toLayer((await container(id).inspect(options)) as unknown as InspectedLayer);
        }),
      ),
    events: async (ended) => {
      const stream = await limited("events", parts.limitMs, (abortSignal) =>
        // The limit holds for the answer's beginning only, so the call ends with `ended` and not with the limit.
        raceAbort(
          docker.getEvents({ filters: { type: ["container"] }, abortSignal: ended }) as Promise<Readable>,
          abortSignal,
        ),
      );
      return stream;
    },
    startDetached: async (id, request) => {
      const exec = await limited("exec", parts.limitMs, (abortSignal) =>
        container(id).exec({ ...toExecOptions(request), abortSignal }),
      );
      await limited("exec start", parts.limitMs, async (abortSignal) => {
        const answer = await exec.start({ Detach: true, Tty: false, abortSignal });
        answer.resume();
      });
      return exec.id;
    },
    startAttached: (id, request) =>
      startAttached(request, {
        container: container(id),
        limited,
        limitMs: parts.limitMs,
        status: execStatus,
        stop: parts.stop,
      }),
    execStatus,
    restart: async (id, graceSeconds) => {
      // The engine answers when the container runs again: after the grace at the latest, plus its own work.
      const limitMs = graceSeconds * 1000 + 30_000;
      await limited("restart", limitMs, (abortSignal) =>
        container(id).restart({ t: graceSeconds, abortSignal }),
      );
    },
    stop: async (id, graceSeconds) => {
      const limitMs = graceSeconds * 1000 + 30_000;
      await limited("stop", limitMs, async (abortSignal) => {
        try {
          await container(id).stop({ t: graceSeconds, abortSignal });
        } catch (error) {
          // 304: it is stopped already.
          if (statusOf(error) !== 304) throw error;
        }
      });
    },
  };
}

function toExecOptions(request: ExecRequest): Docker.ExecCreateOptions {
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

/** `host: ""` keeps docker-modem from taking DOCKER_HOST by itself: that has been read as a setting already. */
function readEndpoint(endpoint: string): { options: Docker.DockerOptions; address: string } {
  const path = endpoint.startsWith("unix://") ? endpoint.slice("unix://".length) : endpoint;
  if (path.startsWith("/")) return { options: { host: "", socketPath: path }, address: `unix://${path}` };
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !["tcp:", "http:"].includes(url.protocol) || url.hostname === "") {
    throw new AgentError(
      "bad_request",
      `--docker.socket: "${endpoint}" is neither a socket's path nor unix://, tcp:// or http://`,
    );
  }
  const port = url.port === "" ? 2375 : Number(url.port);
  return {
    options: { host: url.hostname, port, protocol: "http" },
    address: `tcp://${url.hostname}:${port}`,
  };
}

function toContainer(info: Docker.ContainerInspectInfo, runtime: string): Container {
  const { State: state } = info;
  const known = containerStates.find((one): one is ContainerState => one === state.Status) ?? "unknown";
  const runs = state.Running || known === "paused";
  const startedAt = Date.parse(state.StartedAt);
  const createdAt = Date.parse(info.Created);
  const health = state.Health?.Status ?? "none";
  return {
    id: info.Id,
    runtime,
    name: info.Name.replace(/^\//, ""),
    image: info.Config.Image,
    labels: info.Config.Labels ?? {},
    state: known,
    initPid: runs && state.Pid > 0 ? state.Pid : null,
    createdAt: createdAt > 0 ? createdAt : null,
    // "0001-01-01T00:00:00Z" stands for never.
    startedAt: startedAt > 0 ? startedAt : null,
    // podman has an empty text for a container without a check.
    health: health === "none" || health === "" ? null : health,
    restartCount: info.RestartCount,
    exitCode: runs || known === "created" ? null : state.ExitCode,
    oomKilled: state.OOMKilled,
    restartPolicy: info.HostConfig.RestartPolicy?.Name || "no",
    known: true,
  };
}

interface InspectedLayer {
  readonly SizeRw?: number;
  readonly GraphDriver?: { readonly Data?: { readonly UpperDir?: string } | null };
}

function toLayer({ SizeRw: bytes, GraphDriver: driver }: InspectedLayer): WritableLayer | undefined {
  return bytes === undefined ? undefined : { bytes, folder: driver?.Data?.UpperDir ?? null };
}
