import { AgentError, reasonOf, systemCode } from "../errors.ts";
import type { ProcessRef } from "../model.ts";
import { boundedPost } from "./bounded-post.ts";
import { openContainerFiles } from "./inside.ts";
import type { ManagerParts } from "./manager.ts";
import { plainText } from "./plain-text.ts";
import { readSupervisorConfig, type SupervisorServer } from "./supervisor-config.ts";
import { connectToSupervisor } from "./supervisor-connection.ts";
import { configPaths, type SupervisordCommand } from "./supervisord-command.ts";
import { parseAnswer, type RpcValue, writeCall } from "./xml-rpc.ts";

/** A refusal in supervisord's own words. */
export interface Fault {
  readonly code: number;
  /** `BAD_NAME`; `UNKNOWN` for a code that is in no list. */
  readonly name: string;
  readonly text: string;
}

export type CallOutcome = { readonly value: RpcValue } | { readonly fault: Fault };

export interface SupervisorCalls {
  /**
   * Calls `supervisor.METHOD`.
   * @throws AgentError `unavailable` when there is no way to it, no answer in time, or none in the protocol
   */
  call(method: string, ...params: readonly (string | boolean)[]): Promise<CallOutcome>;
}

export interface SupervisorTarget {
  readonly ref: ProcessRef;
  readonly command: SupervisordCommand;
  /** `supervisord in shop-web-1` */
  readonly label: string;
}

const limitMs = 5_000;
const maxAnswerBytes = 1 << 20;

/** Faults of supervisor/xmlrpc.py, with what each means where supervisord itself adds nothing. */
const faults: Readonly<Record<number, readonly [name: string, meaning: string]>> = {
  1: ["UNKNOWN_METHOD", "it has no such call; its configuration may have no [rpcinterface:supervisor]"],
  2: ["INCORRECT_PARAMETERS", "it takes other parameters"],
  3: ["BAD_ARGUMENTS", "it takes other arguments"],
  4: ["SIGNATURE_UNSUPPORTED", "it does not know the signature"],
  6: ["SHUTDOWN_STATE", "it is shutting down"],
  10: ["BAD_NAME", "it has no program of that name"],
  11: ["BAD_SIGNAL", "it knows no such signal"],
  20: ["NO_FILE", "the program's file is not there"],
  21: ["NOT_EXECUTABLE", "the program's file may not be executed"],
  30: ["FAILED", "it could not do that"],
  40: ["ABNORMAL_TERMINATION", "the program ended before its startsecs were over"],
  50: ["SPAWN_ERROR", "the program could not be started or ended at once"],
  60: ["ALREADY_STARTED", "the program runs"],
  70: ["NOT_RUNNING", "the program does not run"],
  80: ["SUCCESS", "nothing went wrong"],
  90: ["ALREADY_ADDED", "it has that already"],
  91: ["STILL_RUNNING", "the program still runs"],
  92: ["CANT_REREAD", "it cannot read its configuration"],
};

export const faultCodes = { UNKNOWN_METHOD: 1, BAD_NAME: 10, ALREADY_STARTED: 60, NOT_RUNNING: 70 } as const;

export function createSupervisorCalls(target: SupervisorTarget, parts: ManagerParts): SupervisorCalls {
  const { ref, label } = target;
  let server: SupervisorServer | undefined;
  return {
    call: async (method, ...params) => {
      try {
        server ??= findServer(target, parts);
        const body = await post(server, writeCall(`supervisor.${method}`, params), ref, parts);
        const answer = parseAnswer(body);
        if (answer === undefined) throw new AgentError("unavailable", "its answer is no XML-RPC");
        return "fault" in answer ? { fault: toFault(answer.fault) } : answer;
      } catch (error) {
        // A link or file that may not be read is a way that is closed, too.
        if (!(error instanceof AgentError) && systemCode(error) === undefined) throw error;
        const code = error instanceof AgentError ? error.code : "unavailable";
        throw new AgentError(code, `${label} cannot be called: ${reasonOf(error)}`, { cause: error });
      }
    },
  };
}

async function post(
  server: SupervisorServer,
  body: string,
  ref: ProcessRef,
  parts: ManagerParts,
): Promise<string> {
  const { credentials } = server;
  const login =
    credentials === null
      ? undefined
      : Buffer.from(`${credentials.user}:${credentials.password}`).toString("base64");
  const answer = await boundedPost({
    connect: () => connectToSupervisor(server, ref, parts),
    path: "/RPC2",
    headers: {
      "content-type": "text/xml",
      ...(login === undefined ? {} : { authorization: `Basic ${login}` }),
    },
    body,
    limitMs,
    maxBytes: maxAnswerBytes,
  });
  if (answer.status === 401)
    throw new AgentError(
      "unavailable",
      credentials === null
        ? "it wants a user and a password, and its configuration names none (HTTP 401)"
        : "it refused the user and the password of its configuration (HTTP 401)",
    );
  if (answer.status !== 200) throw new AgentError("unavailable", `it answered HTTP ${answer.status}`);
  return answer.body;
}

function findServer(target: SupervisorTarget, parts: ManagerParts): SupervisorServer {
  const { ref, command } = target;
  const cwd = parts.readLink(ref.pid, "cwd");
  if (cwd === undefined) throw new AgentError("unavailable", "it has ended");
  const paths = configPaths(command, cwd);
  const files = openContainerFiles(parts.procRoot, ref.pid, parts.syscalls);
  const config = readSupervisorConfig(paths, { files, cwd, environ: parts.readEnviron(ref.pid) ?? [] });
  if (config === undefined)
    throw new AgentError("unavailable", `there is no configuration at ${plainText(paths.join(", "), 500)}`);
  const [server] = config.servers;
  if (server !== undefined) return server;
  const why = config.obstacles.length > 0 ? config.obstacles : ["[unix_http_server] is not there"];
  throw new AgentError("unavailable", `in its configuration, ${plainText(why.join("; "), 500)}`);
}

function toFault({ code, text }: { readonly code: number; readonly text: string }): Fault {
  const [name, meaning] = faults[code] ?? ["UNKNOWN", "it gives no reason"];
  // `NO_FILE: can't find command '/x'`; that of most others repeats the program's name.
  const told = plainText(text.startsWith(`${name}: `) ? text.slice(name.length + 2) : text, 300);
  return { code, name, text: told.includes(" ") ? told : meaning };
}
