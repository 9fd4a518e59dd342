import { promisify } from "node:util";
import zlib from "node:zlib";
import { AgentError } from "../../errors.ts";
import type { AppParts } from "../parts.ts";
import { type Route, route } from "../route.ts";

const gzip = promisify(zlib.gzip);

export function metricRoutes(parts: AppParts): readonly Route[] {
  return [
    route({
      method: "get",
      path: parts.telemetryPath,
      summary: "The metrics, as Prometheus text 0.0.4 or OpenMetrics by Accept",
      answer: { contentType: "text/plain" },
      handle: async ({ request, response }) => {
        if (parts.snapshot() === undefined) throw new AgentError("unavailable", "no scan has ended yet");
        const format = prefersOpenMetrics(request.get("accept") ?? "") ? "openmetrics" : "text";
        const { contentType, body } = await parts.renderMetrics(format);
        response.set({ "Content-Type": contentType, Vary: "Accept, Accept-Encoding" });
        if (request.acceptsEncodings("gzip", "identity") !== "gzip") {
          response.send(Buffer.from(body));
          return;
        }
        // Level 1: the higher ones cost several times as much and save a few percent.
        response.set("Content-Encoding", "gzip").send(await gzip(body, { level: 1 }));
      },
    }),
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
