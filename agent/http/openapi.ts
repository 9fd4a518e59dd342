import { errorCatalogue } from "../errors.ts";
import type { Route } from "./route.ts";
import { problemDocument } from "./schemas.ts";
import { z } from "./zod.ts";

/** The OpenAPI 3.1 description of the routes, made from the schemas that check requests. */
export function describeApi(routes: readonly Route[], version: string): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const one of routes) {
    paths[one.path] = { ...paths[one.path], [one.method]: describeRoute(one) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "pidward",
      version,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      description:
        "Processes of a host by real PID and container. The unix socket has all rights; TCP answers reads only, unless a web configuration gives roles.",
    },
    paths,
    components: { schemas: { Problem: toSchema(problemDocument) } },
  };
}

function describeRoute(one: Route): Readonly<Record<string, unknown>> {
  const parameters = [
    ...[...one.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: "path",
      required: true,
      schema: { type: "string" },
    })),
    ...Object.entries(one.query?.shape ?? {}).map(([name, field]) => ({
      name,
      in: "query",
      required: !(field as z.ZodType).isOptional(),
      schema: toSchema(field as z.ZodType, "input"),
    })),
  ];
  const content =
    "contentType" in one.answer
      ? { [one.answer.contentType]: { schema: { type: "string" } } }
      : { "application/json": { schema: toSchema(one.answer) } };
  return {
    summary: one.summary,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(one.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { "application/json": { schema: toSchema(one.body, "input") } },
          },
        }),
    responses: {
      ...(one.upgrades === true
        ? { 101: { description: "the connection is a WebSocket" } }
        : { 200: { description: "done", content } }),
      default: problemResponse(),
    },
  };
}

function problemResponse() {
  const codes = Object.entries(errorCatalogue).map(
    ([code, { status, meaning }]) => `${status} ${code}: ${meaning}`,
  );
  return {
    description: codes.join("\n"),
    content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
  };
}

function toSchema(schema: z.ZodType, io: "input" | "output" = "output"): Readonly<Record<string, unknown>> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, target: "draft-2020-12" });
  return rest;
}
