import { parseOsRelease } from "../../../source/host/os-release.ts";
import type { Collector } from "../../samples.ts";
import { gauge, type NodeHost, nodeCollector, series, single } from "./node-host.ts";

const facts = [
  "build_id",
  "id",
  "id_like",
  "image_id",
  "image_version",
  "name",
  "pretty_name",
  "variant",
  "variant_id",
  "version",
  "version_codename",
  "version_id",
] as const;

const info = gauge(
  "node_os_info",
  "A metric with a constant '1' value labeled by build_id, id, id_like, image_id, image_version, name, pretty_name, variant, variant_id, version, version_codename, version_id.",
  ...facts,
);
const version = gauge(
  "node_os_version",
  "Metric containing the major.minor part of the OS version.",
  "id",
  "id_like",
  "name",
);
const supportEnd = gauge(
  "node_os_support_end_timestamp_seconds",
  "Metric containing the end-of-life date timestamp of the OS.",
);

/** The host's os-release(5), not that of the agent's image. */
export function createOsCollector({ files }: NodeHost): Collector {
  const { rootfs } = files.roots;
  return nodeCollector("os", () => {
    const text = files.read(`${rootfs}/etc/os-release`) ?? files.read(`${rootfs}/usr/lib/os-release`);
    if (text === undefined) return [];
    const release = parseOsRelease(text);
    const of = (...names: readonly string[]): readonly string[] =>
      names.map((name) => release.get(name.toUpperCase()) ?? "");
    const number = Number(/^\d+\.?\d*/.exec(release.get("VERSION_ID") ?? "")?.[0] ?? Number.NaN);
    return [
      series(info, [undefined], () => [of(...facts), 1]),
      series(version, number > 0 ? [number] : [], (value) => [of("id", "id_like", "name"), value]),
      single(supportEnd, secondsOf(release.get("SUPPORT_END"))),
    ];
  });
}

function secondsOf(date: string | undefined): number | undefined {
  const milliseconds = /^\d{4}-\d{2}-\d{2}$/.test(date ?? "") ? Date.parse(`${date}T00:00:00Z`) : Number.NaN;
  return Number.isNaN(milliseconds) ? undefined : milliseconds / 1000;
}
