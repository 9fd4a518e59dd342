import { expect, test } from "@jest/globals";
import { type FeatureFacts, listFeatures } from "../../agent/inventory/features.ts";

const bits = (...numbers: readonly number[]): bigint =>
  numbers.reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n);
const facts: FeatureFacts = {
  capabilities: bits(2, 5, 19),
  isHostPidNamespace: true,
  hasSyscalls: true,
  isEngineThere: true,
  source: "bpf",
  eventsSource: "bpf",
};
const missing = (changed: Partial<FeatureFacts>) =>
  listFeatures({ ...facts, ...changed }).flatMap(({ name, available }) => (available ? [] : [name]));

test.each<readonly [what: string, changed: Partial<FeatureFacts>, without: readonly string[]]>([
  ["nothing", {}, []],
  ["CAP_KILL", { capabilities: bits(2, 19) }, ["kill_other_users"]],
  ["CAP_DAC_READ_SEARCH", { capabilities: bits(5, 19) }, ["process_details_other_users"]],
  [
    "CAP_SYS_PTRACE",
    { capabilities: bits(2, 5) },
    ["process_details", "process_details_other_users", "managers"],
  ],
  ["the host's PID namespace", { isHostPidNamespace: false }, ["host_processes", "kill_other_users"]],
  ["koffi", { hasSyscalls: false }, ["pidfd", "managers"]],
  ["an engine", { isEngineThere: false }, ["engine"]],
  ["BPF", { source: "procfs", eventsSource: "connector" }, ["bpf"]],
  ["events", { eventsSource: "snapshot" }, ["exit_events"]],
])("without %s so much is not available", (_what, changed, without) => {
  expect(missing(changed)).toEqual(without);
});
