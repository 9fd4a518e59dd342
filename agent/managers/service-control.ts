import { closeSync, constants, openSync, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { AgentError, systemCode } from "../errors.ts";
import type { ProcessRef } from "../model.ts";
import { openContainerFiles } from "./inside.ts";
import type { ManagerParts } from "./manager.ts";
import { requireLife } from "./same-life.ts";
import type { ServiceState } from "./service-state.ts";

/** A service with its supervisor, and how its kind of supervisor is spoken to. */
export interface Service {
  /** `web`, `web/log` */
  readonly name: string;
  readonly supervisor: ProcessRef;
  /** From the supervisor's working directory to the service's folder: `` or `log`. */
  readonly folder: string;
  readonly language: SupervisorLanguage;
}

/**
 * The bytes that a supervisor takes on the FIFO `supervise/control`, and the status that it keeps beside it. s6-svc(8) and
 * sv(8) do nothing else; without them there is no need of a program inside the container, nor of the runtime.
 */
export interface SupervisorLanguage {
  readonly parse: (status: Buffer) => ServiceState | undefined;
  /** Ends what runs, as if asked politely, and starts it again. */
  readonly restart: string;
  readonly start: string;
  readonly stop: string;
  readonly kill: string;
}

const lookEveryMs = 50;
/** As long as supervisord and Docker wait: then what ignores TERM gets KILL. */
const graceMs = 10_000;
const limitMs = 25_000;
const maxStatusBytes = 64;

/** Undefined when the supervisor is gone or its status is not to be read. */
export function readService(service: Service, parts: ManagerParts): ServiceState | undefined {
  const path = pathOf(service, "status", parts);
  if (path === undefined) return undefined;
  const files = openContainerFiles(parts.procRoot, service.supervisor.pid, parts.syscalls);
  const bytes = files.read(path, maxStatusBytes);
  return bytes && service.language.parse(bytes);
}

/** Until another process of it is up. @throws AgentError */
export async function restartService(service: Service, label: string, parts: ManagerParts): Promise<void> {
  const before = requireService(service, label, parts);
  const { restart, start } = service.language;
  tell(service, before.phase === "down" ? start : restart, label, parts);
  const isNew = (now: ServiceState): boolean => now.phase === "up" && now.since !== before.since;
  await reach(service, before, isNew, `${label} was told to restart ${JSON.stringify(service.name)}`, parts);
}

/** Until it is down; it is not started again. @throws AgentError */
export async function stopService(service: Service, label: string, parts: ManagerParts): Promise<void> {
  const before = requireService(service, label, parts);
  tell(service, service.language.stop, label, parts);
  const isDown = (now: ServiceState): boolean => now.phase === "down" && !now.wantUp;
  await reach(service, before, isDown, `${label} was told to stop ${JSON.stringify(service.name)}`, parts);
}

async function reach(
  service: Service,
  before: ServiceState,
  isThere: (now: ServiceState) => boolean,
  what: string,
  parts: ManagerParts,
): Promise<void> {
  const began = parts.monotonicMs();
  let killed = false;
  for (;;) {
    const now = requireService(service, what, parts);
    if (isThere(now)) return;
    const spent = parts.monotonicMs() - began;
    if (!killed && spent > graceMs && now.phase === "up" && now.since === before.since) {
      killed = true;
      tell(service, service.language.kill, what, parts);
    }
    if (spent > limitMs) {
      const end = now.lastEnd === null || now.phase === "up" ? "" : ` (last: ${now.lastEnd})`;
      throw new AgentError("failed", `${what}, and it is ${now.phase}${end} after ${limitMs / 1000} s`);
    }
    await delay(lookEveryMs);
  }
}

function requireService(service: Service, what: string, parts: ManagerParts): ServiceState {
  const state = readService(service, parts);
  if (state !== undefined) return state;
  throw new AgentError("unavailable", `${what}: its supervisor ${service.supervisor.pid} has ended`);
}

/** @throws AgentError `unavailable` when nobody reads */
function tell(service: Service, bytes: string, what: string, parts: ManagerParts): void {
  const fail = (why: string): AgentError =>
    new AgentError("unavailable", `${what}: of its supervisor ${service.supervisor.pid}, ${why}`);
  const path = pathOf(service, "control", parts);
  const files = openContainerFiles(parts.procRoot, service.supervisor.pid, parts.syscalls);
  const pathFd = path === undefined ? undefined : files.openSpecial(path, "fifo");
  if (pathFd === undefined) throw fail("the control pipe is not there");
  try {
    const fd = openSync(`/proc/self/fd/${pathFd}`, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      requireLife(service.supervisor, parts);
      writeSync(fd, bytes);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof AgentError) throw fail(error.message);
    // ENXIO of fifo(7): nobody has it open for reading. EAGAIN: it is full, since nobody reads.
    const code = systemCode(error);
    if (code === "ENXIO" || code === "EAGAIN") throw fail("the control pipe is read by nobody");
    if (code === "EACCES" || code === "EPERM") throw fail(`the control pipe may not be opened: ${code}`);
    throw error;
  } finally {
    closeSync(pathFd);
  }
}

/** Within the supervisor's root. */
function pathOf(service: Service, name: string, parts: ManagerParts): string | undefined {
  const folder = parts.readLink(service.supervisor.pid, "cwd");
  return folder === undefined ? undefined : `${folder}/${service.folder}/supervise/${name}`;
}
