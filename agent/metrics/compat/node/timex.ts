import { clockUnsynchronized, statusNanoseconds, type Timex } from "../../../source/host/timex.ts";
import type { Family } from "../../families.ts";
import type { Collector } from "../../samples.ts";
import { counter, gauge, type NodeHost, nodeCollector, single } from "./node-host.ts";

const family = (make: typeof gauge, name: string, help: string): Family => make(`node_timex_${name}`, help);

const syncStatus = family(
  gauge,
  "sync_status",
  "Is clock synchronized to a reliable server (1 = yes, 0 = no).",
);

const micro = 1e-6;
/** A frequency is in parts per million, with 16 bits behind the point (adjtimex(2), notes). */
const partsPerMillion = 1e6 * 65_536;
/** `offset` and `jitter` have one of two units. */
const fine = ({ status }: Timex): number => ((status & statusNanoseconds) === 0 ? 1e6 : 1e9);

const families: readonly (readonly [family: Family, read: (clock: Timex) => number])[] = [
  [
    family(gauge, "offset_seconds", "Time offset in between local system and reference clock."),
    (clock) => clock.offset / fine(clock),
  ],
  [
    family(gauge, "frequency_adjustment_ratio", "Local clock frequency adjustment."),
    ({ freq }) => 1 + freq / partsPerMillion,
  ],
  [family(gauge, "maxerror_seconds", "Maximum error in seconds."), ({ maxerror }) => maxerror * micro],
  [
    family(gauge, "estimated_error_seconds", "Estimated error in seconds."),
    ({ esterror }) => esterror * micro,
  ],
  [family(gauge, "status", "Value of the status array bits."), ({ status }) => status],
  [family(gauge, "loop_time_constant", "Phase-locked loop time constant."), ({ constant }) => constant],
  [family(gauge, "tick_seconds", "Seconds between clock ticks."), ({ tick }) => tick * micro],
  [
    family(gauge, "pps_frequency_hertz", "Pulse per second frequency."),
    ({ ppsfreq }) => ppsfreq / partsPerMillion,
  ],
  [family(gauge, "pps_jitter_seconds", "Pulse per second jitter."), (clock) => clock.jitter / fine(clock)],
  [family(gauge, "pps_shift_seconds", "Pulse per second interval duration."), ({ shift }) => shift],
  [
    family(gauge, "pps_stability_hertz", "Pulse per second stability, average of recent frequency changes."),
    ({ stabil }) => stabil / partsPerMillion,
  ],
  [
    family(counter, "pps_jitter_total", "Pulse per second count of jitter limit exceeded events."),
    ({ jitcnt }) => jitcnt,
  ],
  [
    family(counter, "pps_calibration_total", "Pulse per second count of calibration intervals."),
    ({ calcnt }) => calcnt,
  ],
  [
    family(counter, "pps_error_total", "Pulse per second count of calibration errors."),
    ({ errcnt }) => errcnt,
  ],
  [
    family(
      counter,
      "pps_stability_exceeded_total",
      "Pulse per second count of stability limit exceeded events.",
    ),
    ({ stbcnt }) => stbcnt,
  ],
  [family(gauge, "tai_offset_seconds", "International Atomic Time (TAI) offset."), ({ tai }) => tai],
];

/** Without system calls of its own the agent has no such families. */
export function createTimexCollector({ readClock }: NodeHost): Collector {
  return nodeCollector("timex", () => {
    if (readClock === undefined) return [];
    const { state, timex } = readClock();
    return [
      single(syncStatus, state === clockUnsynchronized ? 0 : 1),
      ...families.map(([own, read]) => single(own, read(timex))),
    ];
  });
}
