import type {
  AttachedExec,
  ContainerExecs,
  ExecRequest,
  OutputPiece,
  TerminalSize,
} from "../containers/runtime.ts";
import { AgentError, reasonOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { type Container, containerLabel, type ProcessRef } from "../model.ts";
import { type ExecEndParts, endExec, refOfExec, statusAtEnd } from "./exec-end.ts";
import { within } from "./within.ts";

export interface TerminalRequest extends ExecRequest {
  readonly size: TerminalSize;
}

export interface TerminalParts extends ExecEndParts {
  readonly execsOf: (container: Container) => ContainerExecs | undefined;
  /** A session without a byte in either direction for so long is ended. */
  readonly idleMs: number;
  /** A session is ended after so long, whatever happens in it. */
  readonly longestMs: number;
  readonly log: Pick<Logger, "warn">;
}

/** A command with a terminal of its own. Nothing of it is seen elsewhere: not in another session, not in the log. */
export interface Terminal {
  /** What is to be shown. Read no faster than it can be shown: the command is held back. To be read once. */
  readonly output: AsyncIterable<Buffer>;
  /** @param taken is called when the engine has taken the bytes, or never will */
  readonly write: (bytes: Buffer, taken: () => void) => void;
  readonly resize: (columns: number, rows: number) => void;
  /** The exit code, when the output has been read to its end. Rejects with an AgentError when the engine is away. */
  readonly exit: Promise<number | null>;
  /** Resolves with the reason when a limit has ended the session. */
  readonly cut: Promise<AgentError>;
  /** Ends the command and what came from it, as the loss of a terminal does: HUP, then KILL. */
  readonly close: () => Promise<void>;
  /** Resolves when it is over, in one way or the other. */
  readonly over: Promise<TerminalEnd>;
}

/** What the audit says of a session's end. */
export interface TerminalEnd {
  /** Null when it is not known. */
  readonly exitCode: number | null;
  /** Why it was ended; null: the command ended by itself. */
  readonly why: string | null;
}

/** From HUP to KILL: shells save their history, editors their file. */
const graceSeconds = 2;
/** After the end: how long the exit code is waited for. */
const lastWordsMs = 3_000;

/** @throws AgentError as ExecInContainer does */
export async function openTerminal(
  container: Container,
  request: TerminalRequest,
  parts: TerminalParts,
): Promise<Terminal> {
  const name = containerLabel(container);
  const execs = parts.execsOf(container);
  if (execs === undefined) throw new AgentError("unavailable", `no runtime can run commands in ${name}`);
  const { size, ...rest } = request;
  const exec = await execs.startAttached(container.id, { ...rest, stdin: true, terminal: size });
  const ref = refOrLog(exec, name, parts);
  const giveUp = new AbortController();
  const exit = exitOf(exec, giveUp.signal);
  const release = (): void => {
    limits.stop();
    giveUp.abort();
    exec.close();
  };
  const end = async (): Promise<void> => {
    await endQuietly(ref, container, parts);
    await within(Promise.allSettled([exit]), lastWordsMs);
  };
  let closing: Promise<void> | undefined;
  let why: string | undefined;
  const close = (reason = "the client went away"): Promise<void> => {
    if (closing === undefined) {
      why = reason;
      closing = end().finally(release);
    }
    return closing;
  };
  const limits = watchLimits(parts, (reason) => void close(reason));
  const over = exit.then(
    async (exitCode): Promise<TerminalEnd> => {
      // It has ended by itself: what it left behind on purpose, as nohup(1) does, stays.
      closing ??= Promise.resolve();
      release();
      return { exitCode, why: why ?? null };
    },
    async (error): Promise<TerminalEnd> => {
      const reason = why ?? reasonOf(error);
      await close(reason);
      return { exitCode: null, why: reason };
    },
  );
  const sizing = createSizing(exec, ref, size);
  return {
    output: pieces(exec, limits.touch),
    write: (bytes, taken) => {
      limits.touch();
      // What is typed ahead must not find a terminal without a size.
      void sizing.ready.then(() => {
        if (exec.input.writable) exec.input.write(bytes, () => taken());
        else taken();
      });
    },
    resize: sizing.resize,
    exit,
    cut: limits.cut,
    close: () => close(),
    over,
  };
}

async function* pieces(exec: AttachedExec, touch: () => void): AsyncGenerator<Buffer> {
  for await (const { bytes } of exec.output as AsyncIterable<OutputPiece>) {
    touch();
    yield bytes;
  }
}

function exitOf(exec: AttachedExec, giveUp: AbortSignal): Promise<number | null> {
  return new Promise((resolve, reject) => {
    exec.output.once("error", reject);
    exec.output.once("end", () => {
      statusAtEnd(exec, giveUp).then((status) => resolve(status?.exitCode ?? null), reject);
    });
    giveUp.addEventListener("abort", () => reject(new AgentError("failed", "the session was closed")), {
      once: true,
    });
  });
}

/** The engine can set a size only once the command runs; while one is being set, the latest one waits. */
function createSizing(exec: AttachedExec, ref: Promise<ProcessRef | undefined>, first: TerminalSize) {
  let wanted: TerminalSize | undefined = first;
  let working: Promise<void> | undefined;
  const apply = async (): Promise<void> => {
    const isRunning = (await ref) !== undefined;
    while (isRunning && wanted !== undefined) {
      const size: TerminalSize = wanted;
      wanted = undefined;
      try {
        await exec.resize(size);
      } catch {
        // It has ended, or the engine is away: both are told by the output's end.
        return;
      }
    }
  };
  const work = (): Promise<void> => {
    working ??= apply().finally(() => {
      working = undefined;
    });
    return working;
  };
  return {
    /** The command has its terminal's first size, or will never have it. */
    ready: work(),
    resize: (columns: number, rows: number): void => {
      wanted = { columns, rows };
      void work();
    },
  };
}

function watchLimits(parts: TerminalParts, onCut: (reason: string) => void) {
  let resolveCut: (error: AgentError) => void = () => {};
  const cut = new Promise<AgentError>((resolve) => {
    resolveCut = resolve;
  });
  const fire = (message: string) => (): void => {
    resolveCut(new AgentError("failed", message));
    onCut(message);
  };
  const idle = setTimeout(
    fire(`the session was idle for ${parts.idleMs / 1000} s and was ended (--attach.idle-timeout)`),
    parts.idleMs,
  );
  const longest = setTimeout(
    fire(`the session lasted ${parts.longestMs / 1000} s and was ended (--attach.max-duration)`),
    parts.longestMs,
  );
  return {
    cut,
    touch: (): void => void idle.refresh(),
    stop: (): void => {
      clearTimeout(idle);
      clearTimeout(longest);
    },
  };
}

async function refOrLog(
  exec: AttachedExec,
  container: string,
  parts: TerminalParts,
): Promise<ProcessRef | undefined> {
  try {
    return await refOfExec(exec, parts);
  } catch (error) {
    parts.log.warn("the process of a session is not known", { container, reason: reasonOf(error) });
    return undefined;
  }
}

async function endQuietly(
  started: Promise<ProcessRef | undefined>,
  container: Container,
  parts: TerminalParts,
): Promise<void> {
  const ref = await started;
  if (ref === undefined) return;
  try {
    await endExec(ref, container, { name: "SIGHUP", number: 1 }, graceSeconds, parts);
  } catch (error) {
    parts.log.warn("a session's command did not end", {
      container: containerLabel(container),
      pid: ref.pid,
      reason: reasonOf(error),
    });
  }
}
