import type { ErrorRequestHandler, RequestHandler, Response } from "express";
import type { ProblemDocument } from "../api.ts";
import { AgentError, errorCatalogue, reasonOf } from "../errors.ts";
import type { Logger } from "../log.ts";

/** Answers an error as application/problem+json (RFC 9457). What is no AgentError is our fault: logged, not told. */
export function createErrorHandler(log: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const known = error instanceof AgentError ? error : parserError(error);
    if (known === undefined)
      log.error("unexpected error", { method: request.method, path: request.path, error });
    const answer = known ?? new AgentError("internal", "a fault of pidward itself; its log has the details");
    sendProblem(response, answer);
  };
}

/** What goes with a status (RFC 9110, sections 11.6.1 and 10.2.3). */
export function problemHeaders(error: AgentError): Readonly<Record<string, string>> {
  const { retryAfterSeconds } = error.details;
  return {
    ...(error.code === "unauthorized"
      ? { "WWW-Authenticate": 'Basic realm="pidward", charset="UTF-8"' }
      : {}),
    ...(typeof retryAfterSeconds === "number" ? { "Retry-After": String(retryAfterSeconds) } : {}),
  };
}

function sendProblem(response: Response, error: AgentError, status = error.status): void {
  response
    .set(problemHeaders(error))
    .status(status)
    .type("application/problem+json")
    .send(JSON.stringify(toProblem(error, status)));
}

export function toProblem(error: AgentError, status = error.status): ProblemDocument {
  return {
    ...error.details,
    type: "about:blank",
    title: errorCatalogue[error.code].meaning,
    status,
    code: error.code,
    detail: error.message,
  };
}

/** Errors of the body parser bear a `type` (body-parser's documentation, "Errors"). */
function parserError(error: unknown): AgentError | undefined {
  if (typeof error !== "object" || error === null || !("type" in error)) {
    // The router's own: a path with a broken %-escape.
    return error instanceof URIError
      ? new AgentError("bad_request", `the path is wrong: ${error.message}`)
      : undefined;
  }
  switch (error.type) {
    case "entity.parse.failed":
      return new AgentError("bad_request", `the body is no JSON: ${reasonOf(error)}`);
    case "entity.too.large":
      return new AgentError("body_too_large", `the body is over ${limitOf(error) / 1024} KiB`);
    case "encoding.unsupported":
    case "charset.unsupported":
    case "request.aborted":
    case "request.size.invalid":
      return new AgentError("bad_request", `the body cannot be read: ${reasonOf(error)}`);
    default:
      return undefined;
  }
}

function limitOf(error: object): number {
  return "limit" in error && typeof error.limit === "number" ? error.limit : Number.NaN;
}

/** The answer for a path that exists with other methods only. */
export function methodNotAllowed(...allowed: readonly string[]): RequestHandler {
  return (request, response) => {
    response.set("Allow", allowed.join(", "));
    const error = new AgentError(
      "bad_request",
      `${request.path} takes ${allowed.join(" and ")}, not ${request.method}`,
    );
    sendProblem(response, error, 405);
  };
}
