import { openSync } from "node:fs";
import type { SignalParts } from "../../agent/control/signal.ts";
import type { Syscalls } from "../../agent/syscalls.ts";

interface FakeProcess {
  readonly startTicks: number;
  state: "S" | "Z" | "gone";
  /** The signals that end it. */
  readonly endedBy: readonly number[];
}

/** Processes that are none: signals reach these and nothing else on the machine. */
export class FakeKernel {
  readonly processes = new Map<number, FakeProcess>();
  /** `PID signal`, in the order in which they were sent. */
  readonly sent: string[] = [];
  private readonly pidOf = new Map<number, number>();

  add(pid: number, facts: Partial<FakeProcess> = {}): void {
    this.processes.set(pid, { startTicks: pid * 10, state: "S", endedBy: [9, 15], ...facts });
  }

  end(pid: number): void {
    const one = this.processes.get(pid);
    if (one !== undefined) one.state = "gone";
  }

  get parts(): SignalParts {
    const syscalls: Pick<Syscalls, "openPidfd" | "signalPidfd" | "pidfdExited"> = {
      // A descriptor that can be closed.
      openPidfd: (pid) => {
        if ((this.processes.get(pid)?.state ?? "gone") === "gone") return undefined;
        const fd = openSync("/dev/null", "r");
        this.pidOf.set(fd, pid);
        return fd;
      },
      signalPidfd: (fd, number) => {
        const pid = this.pidOf.get(fd) ?? -1;
        const one = this.processes.get(pid);
        if (one === undefined || one.state === "gone") return false;
        this.sent.push(`${pid} ${number}`);
        if (one.endedBy.includes(number)) one.state = "gone";
        return true;
      },
      pidfdExited: (fd) => this.processes.get(this.pidOf.get(fd) ?? -1)?.state !== "S",
    };
    return {
      syscalls: syscalls as Syscalls,
      readStat: (pid) => {
        const one = this.processes.get(pid);
        if (one === undefined || one.state === "gone") return undefined;
        return { startTicks: one.startTicks, state: one.state.charCodeAt(0) };
      },
      monotonicMs: () => performance.now(),
    };
  }
}
