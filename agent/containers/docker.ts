import { setMaxListeners } from "node:events";
import type { Readable } from "node:stream";
import { AgentError, reasonOf } from "../errors.ts";
import type { Container } from "../model.ts";
import { createDockerClient } from "./docker-client.ts";
import type {
  ContainerActions,
  ContainerExecs,
  ContainerLayers,
  ContainerRuntime,
  RuntimeStatus,
} from "./runtime.ts";

export interface DockerParts {
  readonly endpoint: string;
  readonly log: {
    readonly info: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
    readonly warn: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  };
  /** Longest wait for an answer; 5 s when left out. */
  readonly limitMs?: number;
  /** Time between two full comparisons with the engine, which also find a hanging one; 60 s when left out. */
  readonly resyncMs?: number;
  /** First wait before the engine is tried again; it doubles up to 30 s. 1 s when left out. */
  readonly retryMs?: number;
}

export type DockerRuntime = ContainerRuntime &
  ContainerActions &
  ContainerExecs &
  ContainerLayers & {
    /** Connects and keeps following. Resolves after the first attempt, successful or not. */
    start(): Promise<void>;
  };

const longestRetryMs = 30_000;
/** Inspections at a time. */
const width = 4;

/** Docker Engine, followed by its event stream and a slow comparison; between those no call is made. */
export function createDockerRuntime(parts: DockerParts): DockerRuntime {
  const stop = new AbortController();
  // Every attached command listens to it.
  setMaxListeners(0, stop.signal);
  const client = createDockerClient({
    endpoint: parts.endpoint,
    limitMs: parts.limitMs ?? 5_000,
    stop: stop.signal,
  });
  const known = new Map<string, Container>();
  let listed: readonly Container[] = [];
  let status: RuntimeStatus = {
    name: "docker",
    endpoint: client.address,
    available: false,
    version: null,
    reason: "not tried yet",
  };
  let retryMs = parts.retryMs ?? 1_000;
  let timer: NodeJS.Timeout | undefined;
  let following: AbortController | undefined;

  const later = (delayMs: number, what: () => Promise<void>): void => {
    clearTimeout(timer);
    if (!stop.signal.aborted) timer = setTimeout(() => void what(), delayMs).unref();
  };
  const learn = (container: Container): void => {
    known.set(container.id, container);
    listed = [...known.values()];
  };
  const forget = (id: string): void => {
    if (known.delete(id)) listed = [...known.values()];
  };
  const look = async (id: string): Promise<void> => {
    const container = await client.inspect(id);
    if (container === undefined) forget(id);
    else learn(container);
  };
  /** Asks for all containers, in parallel within bounds, and drops those that are gone. */
  const compare = async (): Promise<void> => {
    const ids = await client.listIds();
    const present = new Set(ids);
    for (const id of [...known.keys()]) if (!present.has(id)) forget(id);
    const queue = [...ids];
    const work = async (): Promise<void> => {
      for (let id = queue.pop(); id !== undefined; id = queue.pop()) await look(id);
    };
    await Promise.all(Array.from({ length: width }, work));
  };
  const lose = (error: unknown): void => {
    following?.abort();
    following = undefined;
    if (stop.signal.aborted) return;
    const reason = reasonOf(error);
    if (status.available) parts.log.warn("Docker Engine is away", { reason });
    status = { ...status, available: false, reason };
    later(retryMs, connect);
    retryMs = Math.min(retryMs * 2, longestRetryMs);
  };
  const resync = async (): Promise<void> => {
    try {
      await compare();
      later(parts.resyncMs ?? 60_000, resync);
    } catch (error) {
      lose(error);
    }
  };
  const connect = async (): Promise<void> => {
    const attempt = new AbortController();
    following = attempt;
    const ended = AbortSignal.any([attempt.signal, stop.signal]);
    try {
      const { name, version } = await client.version();
      // Subscribed before the list is read: nothing is missed in between.
      const events = await client.events(ended);
      void follow(events, look, () => following === attempt, lose);
      await compare();
      if (following !== attempt) return;
      status = { name, endpoint: client.address, available: true, version, reason: null };
      retryMs = parts.retryMs ?? 1_000;
      parts.log.info("Docker Engine found", { endpoint: client.address, version, containers: known.size });
      later(parts.resyncMs ?? 60_000, resync);
    } catch (error) {
      if (following === attempt) lose(error);
    }
  };
  return {
    name: "docker",
    start: connect,
    list: () => listed,
    status: () => status,
    inspect: async (id) => {
      const container = await client.inspect(id);
      if (container === undefined) forget(id);
      else learn(container);
      return container;
    },
    measureLayer: client.measureLayer,
    startDetached: client.startDetached,
    startAttached: client.startAttached,
    execStatus: client.execStatus,
    restartContainer: client.restart,
    stopContainer: client.stop,
    close: () => {
      clearTimeout(timer);
      stop.abort(new AgentError("unavailable", "the agent is stopping"));
    },
  };
}

/** Actions after which a container is no longer what it was. Those of exec change nothing here. */
const telling: ReadonlySet<string> = new Set([
  "create",
  "start",
  "restart",
  "stop",
  "kill",
  "die",
  "oom",
  "pause",
  "unpause",
  "rename",
  "update",
  "destroy",
  // `health_status: healthy`
  "health_status",
]);

/** Looks at each container that an event names, one after the other, until the stream ends. */
async function follow(
  events: Readable,
  look: (id: string) => Promise<void>,
  current: () => boolean,
  lose: (error: unknown) => void,
): Promise<void> {
  try {
    let rest = "";
    for await (const chunk of events.setEncoding("utf8")) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const id = changedContainer(line);
        if (id !== undefined) await look(id);
      }
    }
    throw new AgentError("unavailable", "Docker Engine ended its event stream");
  } catch (error) {
    if (current()) lose(error);
  } finally {
    events.destroy();
  }
}

function changedContainer(line: string): string | undefined {
  if (line.trim() === "") return undefined;
  const event: unknown = JSON.parse(line);
  if (typeof event !== "object" || event === null || !("Action" in event) || !("Actor" in event))
    return undefined;
  const { Action: action, Actor: actor } = event;
  if (typeof action !== "string" || !telling.has(action.split(":")[0] ?? "")) return undefined;
  const hasId = typeof actor === "object" && actor !== null && "ID" in actor;
  return hasId && typeof actor.ID === "string" ? actor.ID : undefined;
}
