import express, { type Request, type RequestHandler } from "express";
import { AgentError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { Access, Caller } from "./access/access.ts";
import type { Role } from "./access/roles.ts";
import { requireRole } from "./actor.ts";
import { createAdmission, cutOffWhenStalled, readLimits } from "./admission.ts";
import { createErrorHandler, methodNotAllowed } from "./error-handler.ts";
import { describeApi } from "./openapi.ts";
import type { AppParts } from "./parts.ts";
import { type Route, route } from "./route.ts";
import { auditRoutes } from "./routes/audit.ts";
import { containerRoutes } from "./routes/containers.ts";
import { controlRoutes } from "./routes/control.ts";
import { eventRoutes } from "./routes/events.ts";
import { execRoutes } from "./routes/exec.ts";
import { healthRoutes } from "./routes/health.ts";
import { hostRoutes } from "./routes/host.ts";
import { metricRoutes } from "./routes/metrics.ts";
import { processRoutes } from "./routes/processes.ts";
import { noQuery } from "./schemas.ts";
import { validate } from "./validate.ts";

const defaultBodyBytes = 64 * 1024;

/** Every route, in the order of the README's table. */
export function listRoutes(parts: AppParts): readonly Route[] {
  const subjects = [
    ...metricRoutes(parts),
    ...healthRoutes(parts),
    ...hostRoutes(parts),
    ...containerRoutes(parts),
    ...processRoutes(parts),
    ...controlRoutes(parts),
    ...execRoutes(parts),
    ...eventRoutes(parts),
    ...auditRoutes(parts),
  ];
  const description = route({
    method: "get",
    path: "/api/v1/openapi.json",
    summary: "This description",
    answer: { contentType: "application/json" },
    handle: ({ response }) => {
      response.json(describeApi(all, parts.version));
    },
  });
  const index = route({
    method: "get",
    path: "/",
    summary: "The list of what can be asked for",
    answer: { contentType: "text/plain" },
    handle: ({ response }) => {
      const lines = all.map((one) => `${one.method.toUpperCase().padEnd(5)}${one.path}  ${one.summary}`);
      response.type("text/plain").send(`pidward ${parts.version}\n\n${lines.join("\n")}\n`);
    },
  });
  const all: readonly Route[] = [index, ...subjects, description];
  return all;
}

/** The API as an express app. Who may not do something is refused before the request's body is read. */
export function createApp(parts: AppParts, access: Access): express.Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.use((_request, response, next) => {
    response.set({ "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", ...access.headers() });
    // Node's own would be kept for the rest of the second, and wake the agent at its end.
    response.set("Date", new Date().toUTCString());
    next();
  });
  const callers = new WeakMap<Request, Caller>();
  app.use(async (request, _response, next) => {
    callers.set(request, await access.authenticate(request));
    next();
  });
  const callerOf = (request: Request): Caller => {
    const caller = callers.get(request);
    if (caller === undefined) throw new AgentError("unauthorized", "nobody is known to ask");
    return caller;
  };
  const allow = (needed: Role): RequestHandler => {
    return (request, _response, next) => {
      requireRole(callerOf(request), needed, request.path, access, parts);
      next();
    };
  };
  const admit = createAdmission(readLimits, parts.onRefused);
  const doorsOf = ({ role, method, always }: Route): readonly RequestHandler[] => {
    if (role !== undefined) return [allow(role)];
    return method === "get" && always === undefined ? [admit] : [];
  };
  const routes = listRoutes(parts);
  for (const one of routes) {
    const path = one.path.replaceAll(/\{(\w+)\}/g, ":$1");
    app[one.method](path, ...doorsOf(one), ...readersOf(one), handlerOf(one, callerOf));
  }
  for (const path of new Set(routes.map((one) => one.path))) {
    const allowed = routes.filter((one) => one.path === path).map((one) => one.method.toUpperCase());
    // Not `app.all`, which makes a layer for each of HTTP's thirty-five methods.
    app.route(path.replaceAll(/\{(\w+)\}/g, ":$1")).all(methodNotAllowed(...allowed));
  }
  app.use((request) => {
    const guess = nearest(
      request.path,
      routes.map((one) => one.path),
    );
    throw new AgentError(
      "not_found",
      `nothing at ${request.path}${guess === undefined ? "" : `; did you mean ${guess}?`}`,
    );
  });
  app.use(createErrorHandler(parts.log));
  return app;
}

function readersOf({ body, maxBodyBytes = defaultBodyBytes }: Route): readonly RequestHandler[] {
  if (body === undefined) return [];
  return [requireJson, express.json({ limit: maxBodyBytes, type: "application/json" })];
}

function handlerOf(one: Route, callerOf: (request: Request) => Caller): RequestHandler {
  return async (request, response) => {
    const query = validate(one.query ?? noQuery, request.query, "query");
    const body = one.body === undefined ? undefined : validate(one.body, request.body, "body");
    const params = Object.fromEntries(
      Object.entries(request.params).map(([name, value]) => [name, String(value)]),
    );
    const answer = await one.handle({ params, query, body, request, response, caller: callerOf(request) });
    if (answer === undefined) return;
    // What acts may take long; from now on only the reader can.
    cutOffWhenStalled(response);
    response.json(answer);
  };
}

const requireJson: RequestHandler = (request, _response, next) => {
  if (request.is("application/json") === false || request.get("content-type") === undefined) {
    const given = request.get("content-type") ?? "none";
    throw new AgentError(
      "bad_request",
      `the body must be JSON with content-type application/json, not ${given}`,
    );
  }
  next();
};
