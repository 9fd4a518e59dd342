import { AgentError } from "./errors.ts";
import type { Logger } from "./log.ts";
import type { Syscalls } from "./syscalls.ts";

/** What systemd is told of a service of `Type=notify` (sd_notify(3)). Without systemd nothing is. */
export interface ServiceNotice {
  /** @param status a line for `systemctl status` */
  ready(status: string): void;
  stopping(): void;
}

export interface ServiceNoticeParts {
  /** `NOTIFY_SOCKET` is taken away, so that nothing that the agent starts speaks in its name. */
  readonly env: Record<string, string | undefined>;
  readonly syscalls: Pick<Syscalls, "sendDatagram"> | undefined;
  readonly pid: number;
  /** Whether scans go on: without that the watchdog is not told that the service is alive. */
  readonly isAlive: () => boolean;
  readonly log: Pick<Logger, "warn">;
}

export function createServiceNotice({ env, syscalls, pid, isAlive, log }: ServiceNoticeParts): ServiceNotice {
  const socket = env.NOTIFY_SOCKET;
  const watchdogUs = Number(env.WATCHDOG_USEC ?? 0);
  const isOurs = env.WATCHDOG_PID === undefined || Number(env.WATCHDOG_PID) === pid;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete env[name];
  if (socket === undefined || socket === "") return { ready: () => {}, stopping: () => {} };
  let timer: NodeJS.Timeout | undefined;
  const tell = (...lines: readonly string[]): void => {
    try {
      if (syscalls === undefined) throw new AgentError("unavailable", "koffi cannot be loaded");
      syscalls.sendDatagram(socket, Buffer.from(lines.join("\n")));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      log.warn("the service manager cannot be told", { socket, reason: error.message });
    }
  };
  return {
    ready: (status) => {
      tell("READY=1", `STATUS=${status.replaceAll("\n", " ")}`);
      if (!(watchdogUs > 0) || !isOurs) return;
      timer = setInterval(() => {
        if (isAlive()) tell("WATCHDOG=1");
      }, watchdogUs / 2000);
      timer.unref();
    },
    stopping: () => {
      clearInterval(timer);
      tell("STOPPING=1");
    },
  };
}
