import { type PressureResource, pressureResources } from "../../../source/cgroupfs/accounting.ts";
import { type CgroupFamily, figure } from "./cgroup-family.ts";

const shown: Readonly<Record<PressureResource, string>> = { cpu: "CPU", memory: "memory", io: "IO" };

export const pressureFamilies: readonly CgroupFamily[] = pressureResources.flatMap((resource) => [
  figure(
    `container_pressure_${resource}_stalled_seconds_total`,
    "counter",
    `Total time duration no tasks in the container could make progress due to ${shown[resource]} congestion.`,
    ({ pressure }) => pressure?.[resource]?.fullSeconds,
  ),
  figure(
    `container_pressure_${resource}_waiting_seconds_total`,
    "counter",
    `Total time duration tasks in the container have waited due to ${shown[resource]} congestion.`,
    ({ pressure }) => pressure?.[resource]?.someSeconds,
  ),
]);
