import { setTimeout as delay } from "node:timers/promises";
import { AgentError } from "../errors.ts";
import { type CallOutcome, type Fault, faultCodes, type SupervisorCalls } from "./supervisor-calls.ts";
import { programName, type SupervisorProgram, toProgram, toPrograms } from "./supervisor-programs.ts";
import type { RpcValue } from "./xml-rpc.ts";

/** What a supervisord can be told to do. All throw AgentError that says what it refused, in its words. */
export interface SupervisorControl {
  programs(): Promise<readonly SupervisorProgram[]>;
  /** The time that it takes to start and to stop a program. */
  waitsOf(program: string): Promise<Waits>;
  /** Until it has stopped; one that does not run is no error. */
  stop(program: string, waits: Waits): Promise<void>;
  /** Until it has run for its startsecs; one that another has started is no error. */
  start(program: string, waits: Waits): Promise<void>;
}

export interface Waits {
  readonly startMs: number;
  readonly stopMs: number;
}

const lookEveryMs = 100;
/** Beyond a program's own `startsecs` and `stopwaitsecs`: after those, supervisord sends KILL or gives up. */
const marginMs = 5_000;
/** Where supervisord does not tell them (before 4.2), and the most that is believed. */
const unknownSeconds = 60;
const mostSeconds = 600;

/**
 * The calls are made without their own waiting (`wait` false), and the state is looked at again and again: so it is noticed at
 * once when supervisord itself hangs, and no call is longer than the limit of one.
 */
export function createSupervisorControl(
  calls: SupervisorCalls,
  label: string,
  monotonicMs: () => number,
): SupervisorControl {
  /** @param harmless the fault that means that there is nothing to do */
  const act = async (method: string, program: string, harmless: number): Promise<void> => {
    const outcome = await calls.call(method, program, false);
    if ("fault" in outcome && outcome.fault.code !== harmless)
      throw refusal(`${label} refused ${method} ${JSON.stringify(program)}`, outcome.fault);
  };
  const ask = async <T>(
    read: (value: RpcValue) => T | undefined,
    method: string,
    ...params: readonly string[]
  ): Promise<T> => {
    const outcome = await calls.call(method, ...params);
    if ("fault" in outcome) throw refusal(`${label} refused ${[method, ...params].join(" ")}`, outcome.fault);
    const result = read(outcome.value);
    if (result === undefined)
      throw new AgentError("unavailable", `${label} answered ${method} with something else than programs`);
    return result;
  };
  const settled = async (
    program: string,
    moving: "STARTING" | "STOPPING",
    limitMs: number,
  ): Promise<SupervisorProgram> => {
    const deadline = monotonicMs() + limitMs;
    for (;;) {
      const now = await ask(toProgram, "getProcessInfo", program);
      if (now.state !== moving) return now;
      if (monotonicMs() > deadline) {
        const what = `program ${JSON.stringify(program)} is ${moving} after ${Math.round(limitMs / 1000)} s`;
        throw new AgentError("failed", `${label}: ${what}`);
      }
      await delay(lookEveryMs);
    }
  };
  return {
    programs: () => ask(toPrograms, "getAllProcessInfo"),
    waitsOf: async (program) => toWaits(await calls.call("getAllConfigInfo"), program),
    stop: async (program, waits) => {
      await act("stopProcess", program, faultCodes.NOT_RUNNING);
      const now = await settled(program, "STOPPING", waits.stopMs);
      if (["STARTING", "RUNNING", "BACKOFF"].includes(now.state)) throw outcomeError(label, "stop", now);
    },
    start: async (program, waits) => {
      await act("startProcess", program, faultCodes.ALREADY_STARTED);
      const now = await settled(program, "STARTING", waits.startMs);
      // EXITED comes after RUNNING only: a program that does its work and ends has been started.
      const ok = now.state === "RUNNING" || (now.state === "EXITED" && now.exitStatus === 0);
      if (!ok) throw outcomeError(label, "start", now);
    },
  };
}

function toWaits(outcome: CallOutcome, program: string): Waits {
  const configs = "value" in outcome && Array.isArray(outcome.value) ? outcome.value : [];
  const config = configs.find(
    (one: RpcValue): one is ReadonlyMap<string, RpcValue> => programName(one) === program,
  );
  const limit = (option: string): number => {
    const told = config?.get(option);
    const seconds = typeof told === "number" && told >= 0 ? told : unknownSeconds;
    return Math.min(seconds, mostSeconds) * 1000 + marginMs;
  };
  return { startMs: limit("startsecs"), stopMs: limit("stopwaitsecs") };
}

function refusal(what: string, { code, name, text }: Fault): AgentError {
  return new AgentError(
    code === faultCodes.BAD_NAME ? "not_found" : "failed",
    `${what}: ${name} (${code}): ${text}`,
  );
}

function outcomeError(label: string, verb: string, now: SupervisorProgram): AgentError {
  const why = now.state === "EXITED" ? `exit status ${now.exitStatus}` : now.spawnError;
  const reason = why === "" ? "" : `: ${why}`;
  return new AgentError(
    "failed",
    `${label} was told to ${verb} ${JSON.stringify(now.name)}, and it is ${now.state}${reason}`,
  );
}
