/**
 * What the engine answers, as far as it is read here (Docker Engine API v1.41, named at each shape), and what is made of
 * it. podman's compatible API answers alike; where it differs is said at the field.
 */
import { type Container, type ContainerState, containerStates } from "../model.ts";
import type { ExecStatus, WritableLayer } from "./runtime.ts";

/** GET /version. */
export interface VersionAnswer {
  readonly Version: string;
  readonly Components?: readonly { readonly Name: string }[] | null;
}

/** An element of GET /containers/json. */
export interface ListedAnswer {
  readonly Id: string;
}

/** GET /containers/{id}/json. */
export interface ContainerAnswer {
  readonly Id: string;
  /** RFC 3339, with nanoseconds. */
  readonly Created: string;
  /** With a slash before it. */
  readonly Name: string;
  readonly RestartCount: number;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly OOMKilled: boolean;
    /** 0 when nothing runs. */
    readonly Pid: number;
    readonly ExitCode: number;
    /** "0001-01-01T00:00:00Z" stands for never. */
    readonly StartedAt: string;
    /** podman has an empty text for a container without a check. */
    readonly Health?: { readonly Status: string } | null;
  };
  readonly Config: {
    readonly Image: string;
    readonly Labels: Readonly<Record<string, string>> | null;
  };
  readonly HostConfig: { readonly RestartPolicy?: { readonly Name: string } | null };
  /** With `?size=true` only: what the container has written, in bytes. */
  readonly SizeRw?: number;
  /** `UpperDir` is overlay2's. */
  readonly GraphDriver?: { readonly Data?: { readonly UpperDir?: string } | null };
}

/** POST /containers/{id}/exec. */
export interface ExecCreatedAnswer {
  readonly Id: string;
}

/** GET /exec/{id}/json. */
export interface ExecAnswer {
  readonly Running: boolean;
  /** 0 before it started. */
  readonly Pid: number;
  readonly ExitCode: number | null;
}

/** @param runtime the engine's name, which its answer does not bear */
export function toContainer(answer: ContainerAnswer, runtime: string): Container {
  const { State: state } = answer;
  const known = containerStates.find((one): one is ContainerState => one === state.Status) ?? "unknown";
  const runs = state.Running || known === "paused";
  const startedAt = Date.parse(state.StartedAt);
  const createdAt = Date.parse(answer.Created);
  const health = state.Health?.Status ?? "none";
  return {
    id: answer.Id,
    runtime,
    name: answer.Name.replace(/^\//, ""),
    image: answer.Config.Image,
    labels: answer.Config.Labels ?? {},
    state: known,
    initPid: runs && state.Pid > 0 ? state.Pid : null,
    createdAt: createdAt > 0 ? createdAt : null,
    startedAt: startedAt > 0 ? startedAt : null,
    health: health === "none" || health === "" ? null : health,
    restartCount: answer.RestartCount,
    exitCode: runs || known === "created" ? null : state.ExitCode,
    oomKilled: state.OOMKilled,
    restartPolicy: answer.HostConfig.RestartPolicy?.Name || "no",
    known: true,
  };
}

/** Undefined where the engine did not measure. */
export function toLayer({ SizeRw: bytes, GraphDriver: driver }: ContainerAnswer): WritableLayer | undefined {
  return bytes === undefined ? undefined : { bytes, folder: driver?.Data?.UpperDir ?? null };
}

export function toExecStatus({ Running, Pid, ExitCode }: ExecAnswer): ExecStatus {
  return { running: Running, pid: Pid || null, exitCode: ExitCode };
}
