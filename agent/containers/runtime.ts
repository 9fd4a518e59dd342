import type { Readable, Writable } from "node:stream";
import type { Container } from "../model.ts";

/** Whether a runtime can be reached, for people and for a metric. */
export interface RuntimeStatus {
  readonly name: string;
  /** Where it is looked for: `unix:///var/run/docker.sock`. */
  readonly endpoint: string;
  readonly available: boolean;
  /** Null while it was never reached. */
  readonly version: string | null;
  /** Why it is not available, null when it is. */
  readonly reason: string | null;
}

/** Knows the containers of one engine. It follows the engine's events by itself; reading it costs no call. */
export interface ContainerRuntime {
  readonly name: string;
  /** As last told by the engine, stopped ones included; kept while the engine is away. */
  list(): readonly Container[];
  status(): RuntimeStatus;
  /**
   * Asks the engine now, for what is about to act. Undefined: the engine does not know the id.
   * @throws AgentError `unavailable` when the engine does not answer in time
   */
  inspect(id: string): Promise<Container | undefined>;
  close(): void;
}

/** A command to run inside a container. No shell: an argument vector. */
export interface ExecRequest {
  readonly argv: readonly string[];
  /** `KEY=value`, added to the container's own environment. */
  readonly env: readonly string[];
  /** Absolute path in the container; undefined: the container's own. */
  readonly workdir: string | undefined;
  /** `name`, `uid` or `uid:gid`; undefined: the container's own. A name or a bare uid brings the groups of the
   * container's /etc/group, `uid:gid` does not. */
  readonly user: string | undefined;
}

export interface ExecStatus {
  readonly running: boolean;
  /** Host PID; null before it started or when the engine has forgotten it. */
  readonly pid: number | null;
  readonly exitCode: number | null;
}

/**
 * Acts on the containers of one engine.
 * All throw AgentError: `unavailable` (no answer in time), `not_found` (no such container), `failed` (refused, with
 * the engine's words).
 */
export interface ContainerActions {
  /** Starts a command detached from any client, its output to nowhere; gives the exec's id. */
  startDetached(containerId: string, request: ExecRequest): Promise<string>;
  /** Undefined when the engine has forgotten the exec (it or its container ended some minutes ago). */
  execStatus(execId: string): Promise<ExecStatus | undefined>;
  /** Stops (TERM, then KILL after the grace) and starts the container; a stopped one is just started. */
  restartContainer(containerId: string, graceSeconds: number): Promise<void>;
  /** Stops it (TERM, then KILL after the grace); its restart policy does not bring it back. A stopped one stays so. */
  stopContainer(containerId: string, graceSeconds: number): Promise<void>;
}

/** A command whose streams are held. */
export interface AttachRequest extends ExecRequest {
  /** Whether it gets an input; without one it reads /dev/null. */
  readonly stdin: boolean;
  /** A terminal of its own with this many cells; undefined: none, and its two outputs are apart. */
  readonly terminal: TerminalSize | undefined;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** Bytes that a command wrote, as the engine handed them over: cut anywhere. With a terminal all are `stdout`. */
export interface OutputPiece {
  readonly from: "stdout" | "stderr";
  readonly bytes: Buffer;
}

/** A command that runs with its streams held here. Whoever started it closes it. */
export interface AttachedExec {
  readonly id: string;
  /** The command's input; ending it is the end of input. What the command does not read any more is dropped. */
  readonly input: Writable;
  /**
   * OutputPieces in the order in which they came. It ends when the command has ended and nobody else holds its output, or
   * two seconds later; a fault of the connection is an AgentError `unavailable`.
   */
  readonly output: Readable;
  /** @throws AgentError as `ContainerActions` do; `failed` while the command has not started yet */
  resize(size: TerminalSize): Promise<void>;
  /** Undefined when the engine has forgotten it: its container has ended. @throws AgentError as `ContainerActions` do */
  status(): Promise<ExecStatus | undefined>;
  /** Lets go of the streams. The command goes on: engines have no call to end one. */
  close(): void;
}

/** What a container has written into the layer of its own. */
export interface WritableLayer {
  readonly bytes: number;
  /** Where the host has the layer; null where the engine's storage driver has no folder for it. */
  readonly folder: string | null;
}

/** Measures the layers of one engine's containers. */
export interface ContainerLayers {
  /**
   * Slow: the engine walks through all that the container has written. Undefined for a container that is gone.
   * @throws AgentError as `ContainerActions` do
   */
  measureLayer(containerId: string): Promise<WritableLayer | undefined>;
}

/** Runs commands inside the containers of one engine. */
export interface ContainerExecs {
  /**
   * Starts a command and holds its streams. That it cannot be started is told by its exit code, 126 or 127, and by a
   * message on its output.
   * @throws AgentError as `ContainerActions` do; `failed` for a container that is stopped or paused
   */
  startAttached(containerId: string, request: AttachRequest): Promise<AttachedExec>;
}
