import { openSync } from "node:fs";
import { PassThrough, Readable } from "node:stream";
import type {
  AttachedExec,
  AttachRequest,
  ContainerExecs,
  ExecStatus,
  OutputPiece,
  TerminalSize,
} from "../../agent/containers/runtime.ts";
import type { ExecEndParts } from "../../agent/control/exec-end.ts";
import type { TargetProcess } from "../../agent/model.ts";
import { makeContainer } from "../inventory/table.ts";

export const web = makeContainer("web", { initPid: 40 });

/** A command in an engine that does not exist: the test plays it. */
export class FakeExec implements AttachedExec, ContainerExecs {
  readonly id = "e1";
  readonly input = new PassThrough();
  readonly output = new Readable({ objectMode: true, read: () => {} });
  readonly requests: AttachRequest[] = [];
  readonly sizes: TerminalSize[] = [];
  closed = false;
  now: ExecStatus | undefined = { running: true, pid: 50, exitCode: null };
  fails: Error | undefined;

  async startAttached(_: string, request: AttachRequest): Promise<AttachedExec> {
    this.requests.push(request);
    return this;
  }

  async resize(size: TerminalSize): Promise<void> {
    this.sizes.push(size);
  }

  async status(): Promise<ExecStatus | undefined> {
    if (this.fails !== undefined) throw this.fails;
    return this.now;
  }

  close(): void {
    this.closed = true;
    this.output.destroy();
  }

  write(from: OutputPiece["from"], text: string): void {
    this.output.push({ from, bytes: Buffer.from(text) });
  }

  end(exitCode: number | null, pid: number | null = 50): void {
    this.now = { running: false, pid, exitCode };
    this.output.push(null);
  }
}

export function makeTarget(pid: number, facts: Partial<TargetProcess> = {}): TargetProcess {
  return {
    ref: { pid, startTicks: 100 },
    name: "sh",
    parentPid: 1,
    kernelThread: false,
    container: web,
    authority: web,
    program: "sh",
    init: false,
    ...facts,
  };
}

/**
 * A world in which these processes live until they are signalled.
 * @param signalled gets `SIGNAL PID` for each; those of `stubborn` end by KILL only
 */
export function fakeWorld(
  processes: readonly TargetProcess[],
  signalled: string[],
  facts: { readonly sessions?: Readonly<Record<number, number>>; readonly stubborn?: readonly number[] } = {},
  onEnd: (pid: number) => void = () => {},
): ExecEndParts {
  const pidOf = new Map<number, number>();
  // Descriptors have to be real: their user closes them.
  const openFd = (pid: number): number => {
    const fd = openSync("/dev/null", "r");
    pidOf.set(fd, pid);
    return fd;
  };
  const alive = new Map(processes.map((process) => [process.ref.pid, process]));
  return {
    syscalls: {
      openPidfd: (pid: number) => (alive.has(pid) ? openFd(pid) : undefined),
      signalPidfd: (fd: number, signal: number) => {
        const pid = pidOf.get(fd) ?? -1;
        if (!alive.has(pid)) return false;
        signalled.push(`${signal} ${pid}`);
        if (signal !== 9 && facts.stubborn?.includes(pid) === true) return true;
        alive.delete(pid);
        onEnd(pid);
        return true;
      },
      pidfdExited: (fd: number) => !alive.has(pidOf.get(fd) ?? -1),
    } as unknown as NonNullable<ExecEndParts["syscalls"]>,
    readStat: (pid) => {
      const process = alive.get(pid);
      return process && { startTicks: process.ref.startTicks, state: "S".charCodeAt(0) };
    },
    monotonicMs: () => performance.now(),
    processesOf: async () => [...alive.values()],
    isInside: () => true,
    readSession: (pid) => facts.sessions?.[pid],
  };
}
