import { setTimeout as delay } from "node:timers/promises";
import type { Actor, AttachQuery, AuditRecord, ExecAnswer, ExecRequest } from "../api.ts";
import type { ContainerExecs } from "../containers/runtime.ts";
import { AgentError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { type Container, containerLabel, type Snapshot } from "../model.ts";
import { type ActParts, audited, type Conclusion } from "./act.ts";
import {
  openTerminal,
  type Terminal,
  type TerminalEnd,
  type TerminalParts,
  type TerminalRequest,
} from "./attach.ts";
import type { AuditIntent } from "./audit.ts";
import { type CommandResult, createExecInContainer, type ExecInContainer } from "./exec-in-container.ts";
import { toAnswer, toCommand, toLimits, toTerminal } from "./exec-request.ts";

export interface ExecControlParts extends TerminalParts {
  readonly audit: ActParts["audit"];
  readonly onAct: ActParts["onAct"];
  readonly log: Logger;
  readonly freshSnapshot: () => Promise<Snapshot>;
  /** @throws AgentError `not_found`, `ambiguous` */
  readonly findContainer: (nameOrId: string, snapshot: Snapshot) => Container;
  /** Asks the runtime now; undefined: it does not know the id. @throws AgentError `unavailable` */
  readonly inspect: (container: Container) => Promise<Container | undefined>;
  /** The guard's reason why nothing may be run in this container, or in any; undefined: it may. */
  readonly refuseContainer: (container: Container) => string | undefined;
  readonly execsOf: (container: Container) => ContainerExecs | undefined;
  /** What of a command line is kept in the audit. */
  readonly showCommand: (argv: readonly string[]) => readonly string[];
  /** Sessions, and commands, at the same time. */
  readonly most: number;
}

/** To end a command takes the grace, a scan and the engine's answers. */
const endLimitMs = 8_000;

/** Commands and terminals in containers, by the one path of all that acts: resolve → guard → audit → act → audit. */
export interface ExecControl {
  /**
   * @param gone aborts when nobody waits for the answer any more
   * @throws AgentError `refused`, `not_running`, and as `ExecInContainer` does
   */
  exec(request: ExecRequest, actor: Actor, gone: AbortSignal): Promise<ExecAnswer>;
  /** Resolves when no command is under way any more, or after some seconds: for an agent that is about to end. */
  commandsEnded(): Promise<void>;
  /** @throws AgentError likewise */
  attach(query: AttachQuery, actor: Actor): Promise<Terminal>;
}

export function createExecControl(parts: ExecControlParts): ExecControl {
  const run: ExecInContainer = createExecInContainer(parts);
  const commands = createPlaces(parts.most, "commands run");
  const sessions = createPlaces(parts.most, "sessions are attached");
  return {
    exec: async (request, actor, gone) => {
      const leave = commands.take();
      try {
        const container = await resolveContainer(request.container, parts);
        const intent = intentOf("exec", request, container, actor, parts);
        const act = () => run(container, toCommand(request), toLimits(request, gone));
        return toAnswer(await audited(intent, "none", parts, act, judge));
      } finally {
        leave();
      }
    },
    commandsEnded: async () => {
      const deadline = parts.monotonicMs() + endLimitMs;
      while (commands.taken() > 0 && parts.monotonicMs() < deadline) await delay(20);
    },
    attach: async (query, actor) => {
      const leave = sessions.take();
      try {
        const container = await resolveContainer(query.container, parts);
        const intent = intentOf("attach", query, container, actor, parts);
        return await openAudited(intent, container, toTerminal(query), parts, leave);
      } catch (error) {
        leave();
        throw error;
      }
    },
  };
}

/** The outcome is written when the session is over, long after this has given it. */
function openAudited(
  intent: AuditIntent,
  container: Container,
  request: TerminalRequest,
  parts: ExecControlParts,
  onOver: () => void,
): Promise<Terminal> {
  return new Promise((resolve, reject) => {
    const live = async (): Promise<TerminalEnd> => {
      const terminal = await openTerminal(container, request, parts);
      resolve(terminal);
      return terminal.over;
    };
    const judgeEnd = ({ exitCode, why }: TerminalEnd) => concludeCommand(exitCode, why === null ? [] : [why]);
    audited(intent, "none", parts, live, judgeEnd).finally(onOver).catch(reject);
  });
}

/** @throws AgentError `unavailable` when all are taken */
function createPlaces(most: number, what: string) {
  let taken = 0;
  return {
    taken: (): number => taken,
    /** @returns what gives the place back, once */
    take: (): (() => void) => {
      if (taken >= most)
        throw new AgentError("unavailable", `${most} ${what} already, which is the limit; try again later`);
      taken++;
      let isFree = false;
      return () => {
        if (!isFree) taken--;
        isFree = true;
      };
    },
  };
}

/** The container as its runtime has it now, when commands may be run in it. */
async function resolveContainer(name: string, parts: ExecControlParts): Promise<Container> {
  const found = parts.findContainer(name, await parts.freshSnapshot());
  const label = containerLabel(found);
  const refuse = (reason: string): AgentError => {
    parts.log.warn("refused", { container: label, reason });
    return new AgentError("refused", reason);
  };
  const before = parts.refuseContainer(found);
  if (before !== undefined) throw refuse(before);
  const container = await parts.inspect(found);
  if (container === undefined)
    throw new AgentError("not_found", `the runtime does not know container ${label} any more`);
  const reason = parts.refuseContainer(container);
  if (reason !== undefined) throw refuse(reason);
  if (container.state !== "running") {
    const hint = container.state === "paused" ? "; unpause it first" : "";
    throw new AgentError("not_running", `nothing can be run in ${label}: it is ${container.state}${hint}`);
  }
  return container;
}

function intentOf(
  action: AuditRecord["action"],
  { container: selector, argv, user }: Pick<ExecRequest, "container" | "argv" | "user">,
  container: Container,
  actor: Actor,
  parts: ExecControlParts,
): AuditIntent {
  return {
    actor,
    action,
    selector,
    refs: [],
    container: container.id,
    how: user === undefined ? null : `as ${user}`,
    argv: parts.showCommand(argv),
  };
}

function judge({ exitCode, timedOut, truncated }: CommandResult): Conclusion {
  return concludeCommand(exitCode, [
    ...(timedOut ? ["ended by its time limit"] : []),
    ...(truncated ? ["output over its limit"] : []),
  ]);
}

function concludeCommand(exitCode: number | null, notes: readonly string[]): Conclusion {
  const all = exitCode === null ? [...notes, "exit code unknown"] : notes;
  return { outcome: "done", exitCode, message: all.length === 0 ? null : all.join(", ") };
}
