import type { Socket } from "node:net";
import type {
  Actor,
  AttachQuery,
  AuditQuery,
  AuditRecord,
  ContainerList,
  ContainerRecord,
  EventRecord,
  ExecAnswer,
  ExecRequest,
  HostReport,
  ProcessDetail,
  ProcessList,
  ProcessQuery,
  RestartAnswer,
  RestartRequest,
  RuntimeRecord,
  SignalAnswer,
  SignalRequest,
} from "../api.ts";
import type { AgentError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { ScrapeTarget } from "../metrics/scrape-cache.ts";
import type { Snapshot } from "../model.ts";

/** What the routes need of the agent, as functions. Each may throw AgentError, which becomes the answer. */
export interface AppParts {
  /** Undefined before the first scan. */
  readonly snapshot: () => Snapshot | undefined;
  readonly listProcesses: (query: ProcessQuery) => ProcessList;
  readonly getProcess: (pidOrRef: string) => Promise<ProcessDetail>;
  readonly listContainers: () => ContainerList;
  readonly getContainer: (nameOrId: string) => ContainerRecord;
  readonly hostReport: () => Promise<HostReport>;
  /** @throws AgentError `unavailable` before the first scan, `not_found` for a group that is off */
  readonly renderMetrics: (
    target: ScrapeTarget,
    format: "text" | "openmetrics",
    encoding: "gzip" | "identity",
  ) => Promise<{ readonly contentType: string; readonly body: Buffer }>;
  readonly runtimes: () => readonly RuntimeRecord[];
  readonly signal: (request: SignalRequest, actor: Actor) => Promise<SignalAnswer>;
  readonly restart: (request: RestartRequest, actor: Actor) => Promise<RestartAnswer>;
  /** @param gone aborts when nobody waits for the answer any more: the command is then ended */
  readonly exec: (request: ExecRequest, actor: Actor, gone: AbortSignal) => Promise<ExecAnswer>;
  /** Whoever gets the session closes it. */
  readonly attach: (query: AttachQuery, actor: Actor) => Promise<TerminalSession>;
  readonly events: EventFeed;
  readonly audit: AuditFeed;
  /** A read was refused, since there are too many. */
  readonly onRefused: () => void;
  /** A snapshot older than this makes the agent unready. */
  readonly maxSnapshotAgeMs: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly version: string;
  readonly telemetryPath: string;
  /** Where acting is possible, for the words of a refusal: `unix:///run/pidward/pidward.sock`. */
  readonly controlAddress: string;
  /** Who is at the other end of a unix socket; undefined where the kernel does not say. */
  readonly peerOf: (socket: Socket) => Omit<Actor, "from"> | undefined;
  readonly log: Logger;
}

/** What has happened, and who wants to know what will. */
export interface EventFeed {
  /** The last so many, oldest first. */
  tail(count: number): readonly EventRecord[];
  /** What came after an event; `missed` counts what is not remembered any more, null: nobody knows. */
  after(id: string): { readonly events: readonly EventRecord[]; readonly missed: number | null } | undefined;
  /** @returns what ends the listening */
  listen(take: (event: EventRecord) => void, onClose: () => void): () => void;
}

/** What was done, and who wants to know what will be. */
export interface AuditFeed {
  /** The last records that fit, oldest first. @throws AgentError `unavailable` */
  tail(query: AuditQuery): Promise<readonly AuditRecord[]>;
  /** @returns what ends the listening */
  listen(query: AuditQuery, take: (record: AuditRecord) => void, onClose: () => void): () => void;
}

/** A command with a terminal of its own: see control/attach.ts. */
export interface TerminalSession {
  /** To be read once, and no faster than it can be shown: the command is held back. */
  readonly output: AsyncIterable<Buffer>;
  /** @param taken is called when the bytes are on their way to the command, or never will be */
  readonly write: (bytes: Buffer, taken: () => void) => void;
  readonly resize: (columns: number, rows: number) => void;
  /** The exit code, when the output has been read to its end; null: nobody knows it any more. */
  readonly exit: Promise<number | null>;
  /** Resolves with the reason when a limit has ended the session. */
  readonly cut: Promise<AgentError>;
  /** Ends the command and what came from it. */
  readonly close: () => Promise<void>;
}
