import { parseConntrack } from "../../../source/host/conntrack.ts";
import { parseNumber } from "../../../source/host/fields.ts";
import type { Collector } from "../../samples.ts";
import { gauge, type NodeHost, nodeCollector, single } from "./node-host.ts";

const entries = gauge(
  "node_nf_conntrack_entries",
  "Number of currently allocated flow entries for connection tracking.",
);
const limit = gauge("node_nf_conntrack_entries_limit", "Maximum size of connection tracking table.");

/** Column of the kernel's file → what it counts. */
const counts = {
  found: "Number of searched entries which were successful.",
  invalid: "Number of packets seen which can not be tracked.",
  ignore: "Number of packets seen which are already connected to a conntrack entry.",
  insert: "Number of entries inserted into the list.",
  insert_failed: "Number of entries for which list insertion was attempted but failed.",
  drop: "Number of packets dropped due to conntrack failure.",
  early_drop:
    "Number of dropped conntrack entries to make room for new ones, if maximum table size was reached.",
  search_restart: "Number of conntrack table lookups which had to be restarted due to hashtable resizes.",
} as const;
const statistics = Object.entries(counts).map(([column, help]) => ({
  column,
  family: gauge(`node_nf_conntrack_stat_${column}`, help),
}));

/**
 * /proc/sys/net is that of the reader's network namespace: the host's number of entries is taken from the file of its
 * init. The limit is the same in all of them.
 */
export function createConntrackCollector({ files }: NodeHost): Collector {
  const { proc } = files.roots;
  return nodeCollector("conntrack", () => {
    const text = files.read(`${proc}/1/net/stat/nf_conntrack`);
    if (text === undefined) return [];
    const sums = parseConntrack(text);
    return [
      single(entries, sums.get("entries")),
      single(limit, parseNumber(files.read(`${proc}/sys/net/netfilter/nf_conntrack_max`) ?? "")),
      ...statistics.map(({ column, family }) => single(family, sums.get(column))),
    ];
  });
}
