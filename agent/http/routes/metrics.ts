import { metricGroups } from "../../metric-choice.ts";
import type { ScrapeTarget } from "../../metrics/scrape-cache.ts";
import type { AppParts } from "../parts.ts";
import { type Route, route } from "../route.ts";

export function metricRoutes(parts: AppParts): readonly Route[] {
  const metrics = (target: ScrapeTarget, path: string, summary: string): Route =>
    route({
      method: "get",
      path,
      summary,
      answer: { contentType: "text/plain" },
      handle: async ({ request, response }) => {
        const format = prefersOpenMetrics(request.get("accept") ?? "") ? "openmetrics" : "text";
        const encoding = request.acceptsEncodings("gzip", "identity") === "gzip" ? "gzip" : "identity";
        const { contentType, body } = await parts.renderMetrics(target, format, encoding);
        response.set({ "Content-Type": contentType, Vary: "Accept, Accept-Encoding" });
        if (encoding === "gzip") response.set("Content-Encoding", encoding);
        response.send(body);
      },
    });
  return [
    metrics("all", parts.telemetryPath, "The metrics, as Prometheus text 0.0.4 or OpenMetrics by Accept"),
    ...metricGroups.map((group) =>
      metrics(group, `${parts.telemetryPath}/${group}`, `Of the metrics only those of the family ${group}`),
    ),
  ];
}

/** Whether OpenMetrics 1.0.0 is accepted, and not less than the text format (RFC 9110, 12.5.1). */
export function prefersOpenMetrics(accept: string): boolean {
  const weight = (test: (type: string) => boolean): number => {
    const weights = accept.split(",").flatMap((range) => {
      const [type = "", ...rest] = range.split(";").map((part) => part.trim().toLowerCase());
      if (!test([type, ...rest].join(";"))) return [];
      return [Number(rest.find((part) => part.startsWith("q="))?.slice(2) ?? 1)];
    });
    return Math.max(0, ...weights.filter((one) => !Number.isNaN(one)));
  };
  const open = weight((type) => type.startsWith("application/openmetrics-text") && !/version=0\./.test(type));
  return open > 0 && open >= weight((type) => type.startsWith("text/plain"));
}
