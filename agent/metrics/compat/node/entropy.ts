import { parseNumber } from "../../../source/host/fields.ts";
import type { Collector } from "../../samples.ts";
import { gauge, type NodeHost, nodeCollector, single } from "./node-host.ts";

const available = gauge("node_entropy_available_bits", "Bits of available entropy.");
const pool = gauge("node_entropy_pool_size_bits", "Bits of entropy pool.");

/** /proc/sys/kernel/random (random(4)). */
export function createEntropyCollector({ files }: NodeHost): Collector {
  const read = (name: string): number | undefined =>
    parseNumber(files.read(`${files.roots.proc}/sys/kernel/random/${name}`) ?? "");
  return nodeCollector("entropy", () => [
    single(available, read("entropy_avail")),
    single(pool, read("poolsize")),
  ]);
}
