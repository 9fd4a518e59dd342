import { parseFileNr } from "../../../source/host/file-nr.ts";
import type { Collector } from "../../samples.ts";
import { gauge, type NodeHost, nodeCollector, single } from "./node-host.ts";

const allocated = gauge("node_filefd_allocated", "File descriptor statistics: allocated.");
const maximum = gauge("node_filefd_maximum", "File descriptor statistics: maximum.");

export function createFilefdCollector({ files }: NodeHost): Collector {
  return nodeCollector("filefd", () => {
    const table = parseFileNr(files.read(`${files.roots.proc}/sys/fs/file-nr`) ?? "");
    return [single(allocated, table?.allocated), single(maximum, table?.maximum)];
  });
}
