import type { Socket } from "node:net";
import type {
  Actor,
  AuditTail,
  ContainerList,
  ContainerRecord,
  EventRecord,
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
import type { Logger } from "../log.ts";
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
  /** @throws AgentError `unavailable` before the first scan */
  readonly renderMetrics: (
    format: "text" | "openmetrics",
    encoding: "gzip" | "identity",
  ) => Promise<{ readonly contentType: string; readonly body: Buffer }>;
  readonly runtimes: () => readonly RuntimeRecord[];
  readonly signal: (request: SignalRequest, actor: Actor) => Promise<SignalAnswer>;
  readonly restart: (request: RestartRequest, actor: Actor) => Promise<RestartAnswer>;
  readonly events: EventFeed;
  readonly auditTail: (limit: number) => Promise<AuditTail>;
  /** A snapshot older than this makes the agent unready. */
  readonly maxSnapshotAgeMs: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly version: string;
  readonly telemetryPath: string;
  /** Where acting is possible, for the words of a refusal: `unix:///run/pidward/pidward.sock`. */
  readonly controlAddress: string;
  /** Who is at the other end of a unix socket; undefined where the kernel does not say. */
  readonly peerOf: (socket: Socket) => { readonly uid: number; readonly pid: number } | undefined;
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

/** What a listener may do: `all` on the unix socket, `read` on TCP. */
export type Rights = "all" | "read";
