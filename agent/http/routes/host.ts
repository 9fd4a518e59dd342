import type { AppParts } from "../parts.ts";
import { type Route, route } from "../route.ts";
import { hostReport } from "../schemas.ts";

export function hostRoutes(parts: AppParts): readonly Route[] {
  return [
    route({
      method: "get",
      path: "/api/v1/host",
      summary: "Facts of the host, the source in use, the engines, what could not be read",
      answer: hostReport,
      handle: () => parts.hostReport(),
    }),
  ];
}
