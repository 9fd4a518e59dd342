import type { AppParts } from "../parts.ts";
import { type Route, route } from "../route.ts";
import { processDetail, processList, processQuery } from "../schemas.ts";

export function processRoutes(parts: AppParts): readonly Route[] {
  return [
    route({
      method: "get",
      path: "/api/v1/processes",
      summary: "The processes that fit every given field, sorted and cut",
      query: processQuery,
      answer: processList,
      handle: ({ query }) => parts.listProcesses(query),
    }),
    route({
      method: "get",
      path: "/api/v1/processes/{process}",
      summary: "One process by PID or ref: all fields, ancestors, children, limits, what a restart would do",
      answer: processDetail,
      handle: ({ params }) => parts.getProcess(params.process ?? ""),
    }),
  ];
}
