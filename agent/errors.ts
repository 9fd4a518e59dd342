/** How each kind of failure is answered: the HTTP status and the exit code of the command line. */
export const errorCatalogue = {
  bad_request: { status: 400, exitCode: 2, meaning: "the request or the command line is wrong" },
  body_too_large: { status: 413, exitCode: 2, meaning: "the request's body is over the limit" },
  refused: { status: 403, exitCode: 4, meaning: "the guard refuses to act on this target" },
  unauthorized: { status: 401, exitCode: 4, meaning: "nobody who is known here asks" },
  no_rights: { status: 403, exitCode: 4, meaning: "this listener or this caller may not do that" },
  not_found: { status: 404, exitCode: 3, meaning: "no such process, container, program or page" },
  ambiguous: { status: 409, exitCode: 2, meaning: "the selector fits several; candidates are listed" },
  not_restartable: { status: 409, exitCode: 5, meaning: "no driver has a plan that can be trusted" },
  busy: {
    status: 409,
    exitCode: 5,
    meaning: "a restart of this program or of its whole container is already under way",
  },
  not_running: { status: 409, exitCode: 5, meaning: "the container is stopped or paused" },
  stale_ref: { status: 412, exitCode: 4, meaning: "the ref no longer holds: the PID ended or was reused" },
  too_many: { status: 429, exitCode: 7, meaning: "more requests than the web configuration allows" },
  failed: { status: 502, exitCode: 6, meaning: "it was tried and failed" },
  unavailable: { status: 503, exitCode: 7, meaning: "the agent, the runtime or a file it needs is away" },
  internal: { status: 500, exitCode: 6, meaning: "a fault of pidward itself; its log has the details" },
} as const satisfies Record<string, { status: number; exitCode: number; meaning: string }>;

export type ErrorCode = keyof typeof errorCatalogue;

/** Facts that go along with an error's message, as JSON: `candidates`, `running`, `field`, … */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/**
 * A failure that a user can meet. The message says what was tried on what, and quotes what came back.
 * Anything thrown that is not an AgentError is a fault of ours.
 */
export class AgentError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "AgentError";
    this.code = code;
    this.details = options.details ?? {};
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }

  get exitCode(): number {
    return errorCatalogue[this.code].exitCode;
  }
}

/** The code of a system error (`ENOENT`), undefined when it is not one. By shape: an error of another realm counts. */
export function systemCode(error: unknown): string | undefined {
  return typeof error === "object" && error !== null && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
}

/** What a look at the system gives; undefined when it is not there, not allowed, or not known to this kernel. */
export function unlessRefused<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

/** What an unknown thrown value says, for a message that quotes it. */
export function reasonOf(error: unknown): string {
  return typeof error === "object" && error !== null && "message" in error
    ? String(error.message)
    : String(error);
}
