import type { AppParts } from "../parts.ts";
import { type Route, route } from "../route.ts";
import { auditQuery, auditTail } from "../schemas.ts";

export function auditRoutes(parts: AppParts): readonly Route[] {
  return [
    route({
      method: "get",
      path: "/api/v1/audit",
      summary: "The last records of what was done, oldest first",
      query: auditQuery,
      answer: auditTail,
      handle: ({ query }) => parts.auditTail(query.limit),
    }),
  ];
}
