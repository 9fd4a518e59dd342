import type { FamilySamples } from "../../samples.ts";
import { gauge, series } from "./node-host.ts";

/** The release of node_exporter whose names, labels and help texts the collectors follow. */
const followedRelease = "1.5.0";

/** Go's names of architectures (GOARCH), which dashboards know. */
const goArchitectures: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", ppc64: "ppc64le" };

const info = gauge(
  "node_exporter_build_info",
  "A metric with a constant '1' value labeled by version, revision, branch, goversion from which node_exporter was built, and the goos and goarch for the build.",
  "branch",
  "goarch",
  "goos",
  "goversion",
  "revision",
  "version",
);

/** Dashboards fill their variables from it: the version is node_exporter's, and `revision` says who it is instead. */
export function nodeBuildInfo(version: string, node: string, architecture: string): FamilySamples {
  return series(info, [undefined], () => [
    [
      "pidward",
      goArchitectures[architecture] ?? architecture,
      "linux",
      `node${node}`,
      `pidward-${version}`,
      followedRelease,
    ],
    1,
  ]);
}
