import type { AppParts } from "../parts.ts";
import { type Route, route } from "../route.ts";
import { containerList, containerRecord } from "../schemas.ts";

export function containerRoutes(parts: AppParts): readonly Route[] {
  return [
    route({
      method: "get",
      path: "/api/v1/containers",
      summary: "All containers with their resources and programs",
      answer: containerList,
      handle: () => parts.listContainers(),
    }),
    route({
      method: "get",
      path: "/api/v1/containers/{container}",
      summary: "One container by name or id prefix",
      answer: containerRecord,
      handle: ({ params }) => parts.getContainer(params.container ?? ""),
    }),
  ];
}
