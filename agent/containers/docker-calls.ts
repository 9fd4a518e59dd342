import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import "./without-ssh.ts";
import Modem from "docker-modem";
import { AgentError } from "../errors.ts";
import type {
  ContainerAnswer,
  ExecAnswer,
  ExecCreatedAnswer,
  ListedAnswer,
  VersionAnswer,
} from "./docker-answers.ts";
import type { TerminalSize } from "./runtime.ts";

/** Where a container's calls are; `containerPath` makes it. */
export type ContainerPath = `/containers/${string}`;

/** What an exec runs (POST /containers/{id}/exec). */
export interface ExecConfig {
  readonly Cmd: readonly string[];
  /** `KEY=value`. */
  readonly Env: readonly string[];
  readonly WorkingDir?: string;
  readonly User?: string;
  readonly AttachStdin: boolean;
  readonly AttachStdout: boolean;
  readonly AttachStderr: boolean;
  readonly Tty: boolean;
  readonly DetachKeys?: string;
  /** Rows, columns. */
  readonly ConsoleSize?: readonly [number, number];
}

/** How an exec is started (POST /exec/{id}/start). */
export type ExecStartConfig = Pick<ExecConfig, "Tty" | "ConsoleSize">;

/**
 * Requests of the Docker Engine API (v1.41), each with its path, query, body and status codes. A refusal is docker-modem's
 * Error with the answer's `statusCode`; without one, no answer came. Limits are the caller's, by the signal.
 */
export interface DockerCalls {
  version(signal: AbortSignal): Promise<VersionAnswer>;
  /** All containers, stopped ones included. */
  list(signal: AbortSignal): Promise<readonly ListedAnswer[]>;
  /** @param query `size`: with `SizeRw`, for which the engine walks through the layer */
  inspect(
    container: ContainerPath,
    signal: AbortSignal,
    query?: { readonly size: true },
  ): Promise<ContainerAnswer>;
  /** Containers' events, one JSON object a line, until the signal aborts. */
  events(signal: AbortSignal): Promise<Readable>;
  /** A 304 for a container that is stopped already is a refusal too. */
  stop(container: ContainerPath, graceSeconds: number, signal: AbortSignal): Promise<void>;
  restart(container: ContainerPath, graceSeconds: number, signal: AbortSignal): Promise<void>;
  createExec(container: ContainerPath, config: ExecConfig, signal: AbortSignal): Promise<ExecCreatedAnswer>;
  /** Gives the answer's body, which somebody has to read away. */
  startDetached(execId: string, signal: AbortSignal): Promise<Readable>;
  /** Gives the upgraded connection ("hijacked"), which is the command's streams. */
  startHeld(execId: string, config: ExecStartConfig, signal: AbortSignal): Promise<Socket>;
  resizeExec(execId: string, size: TerminalSize, signal: AbortSignal): Promise<void>;
  inspectExec(execId: string, signal: AbortSignal): Promise<ExecAnswer>;
}

/** Ids come from cgroup paths too, which a container can shape: nothing else may become part of a request's path. */
const idForm = /^[0-9a-f]{12,64}$/;

export function isContainerId(text: string): boolean {
  return idForm.test(text);
}

/** @throws AgentError `not_found` for what is no id */
export function containerPath(id: string): ContainerPath {
  if (!isContainerId(id))
    throw new AgentError("not_found", `"${id.slice(0, 80)}" is no container id of Docker`);
  return `/containers/${id}`;
}

/**
 * By call: true for what is a success, else words that come before the engine's own in the message of a refusal. 200
 * instead of 201 or 204 is what proxies answer.
 */
const onRead = { 200: true, 500: "server error" };
const onList = { ...onRead, 400: "bad parameter" };
const onInspect = { ...onRead, 404: "no such container" };
const onRestart = { ...onInspect, 204: true };
const onStop = { ...onRestart, 304: "container already stopped" };
const onCreate = { ...onInspect, 201: true, 409: "container stopped/paused" };
const onExecInspect = { ...onRead, 404: "no such exec" };
const onResize = { ...onExecInspect, 500: "container not running" };
const onStart = { ...onResize, 204: true, 409: "container stopped/paused" };

type Ask = <Answer>(
  method: "GET" | "POST",
  path: string,
  signal: AbortSignal,
  codes: Modem.StatusCodes,
  /** The query of a path that ends with "?", and the body of a POST. */
  options?: object,
  more?: Pick<Modem.DialOptions, "isStream" | "allowEmpty" | "hijack" | "openStdin">,
) => Promise<Answer>;

export function createDockerCalls(engine: Modem.ConstructorOptions): DockerCalls {
  const modem = new Modem(engine);
  const ask: Ask = (method, path, abortSignal, statusCodes, options = {}, more = {}) =>
    new Promise((resolve, reject) => {
      modem.dial({ method, path, abortSignal, statusCodes, options, ...more }, (error, answer) =>
        error ? reject(error) : resolve(answer as never),
      );
    });
  return {
    version: (signal) => ask("GET", "/version", signal, onRead),
    list: (signal) => ask("GET", "/containers/json?", signal, onList, { all: true }),
    inspect: (container, signal, query) => ask("GET", `${container}/json?`, signal, onInspect, query),
    events: (signal) => {
      const filters = { type: ["container"] };
      return ask("GET", "/events?", signal, onRead, { filters }, { isStream: true });
    },
    stop: (container, seconds, signal) => ask("POST", `${container}/stop?`, signal, onStop, { t: seconds }),
    restart: (container, seconds, signal) =>
      ask("POST", `${container}/restart?`, signal, onRestart, { t: seconds }),
    createExec: (container, config, signal) => ask("POST", `${container}/exec`, signal, onCreate, config),
    startDetached: (execId, signal) => {
      const config = { Detach: true, Tty: false };
      return ask("POST", `/exec/${execId}/start`, signal, onStart, config, {
        isStream: true,
        allowEmpty: true,
      });
    },
    startHeld: (execId, config, signal) => {
      // Engines ignore the last two.
      const body = { Detach: false, ...config, hijack: true, stdin: true };
      return ask("POST", `/exec/${execId}/start`, signal, onStart, body, {
        isStream: true,
        allowEmpty: true,
        hijack: true,
        openStdin: true,
      });
    },
    resizeExec: (execId, { rows, columns }, signal) =>
      ask("POST", `/exec/${execId}/resize?`, signal, onResize, { w: columns, h: rows }),
    inspectExec: (execId, signal) => ask("GET", `/exec/${execId}/json`, signal, onExecInspect),
  };
}
