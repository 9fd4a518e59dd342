import { fieldsOf } from "../../../source/host/fields.ts";
import type { Collector } from "../../samples.ts";
import { gauge, type NodeHost, nodeCollector, series, single } from "./node-host.ts";

const seconds = gauge("node_time_seconds", "System time in seconds since epoch (1970).");
const zoneOffset = gauge("node_time_zone_offset_seconds", "System time zone offset in seconds.", "time_zone");
const available = gauge(
  "node_time_clocksource_available_info",
  "Available clocksources read from '/sys/devices/system/clocksource'.",
  "clocksource",
  "device",
);
const current = gauge(
  "node_time_clocksource_current_info",
  "Current clocksource read from '/sys/devices/system/clocksource'.",
  "clocksource",
  "device",
);

export function createTimeCollector({ files, now, readZone }: NodeHost): Collector {
  const folder = `${files.roots.sys}/devices/system/clocksource`;
  return nodeCollector("time", () => {
    const devices = files.list(folder).filter((name) => /^clocksource\d+$/.test(name));
    const sources = (file: string): [device: string, source: string][] =>
      devices.flatMap((device) =>
        fieldsOf(files.readAttribute(`${folder}/${device}/${file}`) ?? "").map((source): [string, string] => [
          device.replace("clocksource", ""),
          source,
        ]),
      );
    return [
      single(seconds, now() / 1000),
      series(zoneOffset, [readZone()], ({ name, offsetSeconds }) => [[name], offsetSeconds]),
      series(available, sources("available_clocksource"), ([device, source]) => [[source, device], 1]),
      series(current, sources("current_clocksource"), ([device, source]) => [[source, device], 1]),
    ];
  });
}
