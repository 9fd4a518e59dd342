import type { Request, Response } from "express";
import type { z } from "zod";
import type { Caller } from "./access/access.ts";
import type { Role } from "./access/roles.ts";

/** What a handler is given: parts that the schemas have checked. */
export interface RouteInput {
  readonly params: Readonly<Record<string, string>>;
  readonly query: unknown;
  readonly body: unknown;
  readonly request: Request;
  readonly response: Response;
  readonly caller: Caller;
}

/** One way into the API. The routes of the app and its OpenAPI description are both made from these. */
export interface Route {
  readonly method: "get" | "post";
  /** With `{name}` for a part that varies. */
  readonly path: string;
  readonly summary: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodObject;
  /** Undefined: the handler answers by itself, with this kind of content. */
  readonly answer: z.ZodType | { readonly contentType: string };
  /** It changes something: the role that may. All others may be read by whoever may come in. */
  readonly role?: Exclude<Role, "viewer">;
  /** It is cheap, and answered however many read. */
  readonly always?: true;
  /** Longest body in bytes; 64 KiB when left out. */
  readonly maxBodyBytes?: number;
  /** The connection becomes a WebSocket; the handler answers requests that do not ask for one. */
  readonly upgrades?: true;
  /** Gives the answer; undefined where it has answered by itself. */
  readonly handle: (input: RouteInput) => unknown;
}

/** A route whose handler knows the types of its query and body. */
export function route<Query, Body>(
  described: Omit<Route, "query" | "body" | "handle"> & {
    readonly query?: z.ZodObject & z.ZodType<Query>;
    readonly body?: z.ZodObject & z.ZodType<Body>;
    readonly handle: (
      input: Omit<RouteInput, "query" | "body"> & { readonly query: Query; readonly body: Body },
    ) => unknown;
  },
): Route {
  return described as Route;
}
