import type { AppParts } from "../parts.ts";
import { type Route, route } from "../route.ts";
import { health, readiness } from "../schemas.ts";

export function healthRoutes(parts: AppParts): readonly Route[] {
  return [
    route({
      method: "get",
      path: "/healthz",
      summary: "The agent is alive",
      always: true,
      answer: health,
      handle: () => ({ status: "ok" }),
    }),
    route({
      method: "get",
      path: "/readyz",
      summary:
        "A snapshot is there and not old (else 503); an engine that is away is told and does not count",
      always: true,
      answer: readiness,
      handle: ({ response }) => {
        const takenAt = parts.snapshot()?.takenAt;
        const ageMs = takenAt === undefined ? undefined : parts.now() - takenAt;
        const reason =
          ageMs === undefined
            ? "no scan has ended yet"
            : ageMs > parts.maxSnapshotAgeMs
              ? `the last scan ended ${Math.round(ageMs / 1000)} s ago`
              : null;
        response.status(reason === null ? 200 : 503);
        return {
          ready: reason === null,
          reason,
          snapshotAgeSeconds: ageMs === undefined ? null : ageMs / 1000,
          runtimes: parts.runtimes(),
        };
      },
    }),
  ];
}
