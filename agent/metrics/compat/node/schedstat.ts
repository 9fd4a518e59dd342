import { parseSchedstat } from "../../../source/host/schedstat.ts";
import type { Collector } from "../../samples.ts";
import { counter, type NodeHost, nodeCollector, series } from "./node-host.ts";

const running = counter(
  "node_schedstat_running_seconds_total",
  "Number of seconds CPU spent running a process.",
  "cpu",
);
const waiting = counter(
  "node_schedstat_waiting_seconds_total",
  "Number of seconds spent by processing waiting for this CPU.",
  "cpu",
);
const timeslices = counter("node_schedstat_timeslices_total", "Number of timeslices executed by CPU.", "cpu");

export function createSchedstatCollector({ files }: NodeHost): Collector {
  return nodeCollector("schedstat", () => {
    const found = parseSchedstat(files.read(`${files.roots.proc}/schedstat`) ?? "");
    return [
      series(running, found, (one) => [[one.cpu], one.runningNanoseconds / 1e9]),
      series(waiting, found, (one) => [[one.cpu], one.waitingNanoseconds / 1e9]),
      series(timeslices, found, (one) => [[one.cpu], one.timeslices]),
    ];
  });
}
