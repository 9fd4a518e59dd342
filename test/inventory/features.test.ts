import { expect, test } from "@jest/globals";
import { type FeatureFacts, listFeatures } from "../../agent/inventory/features.ts";

const bits = (...numbers: readonly number[]): bigint =>
  numbers.reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n);
const facts: FeatureFacts = {
  capabilities: bits(2, 5, 6, 7, 8, 18, 19, 21),
  isHostPidNamespace: true,
  hasSyscalls: true,
  isEngineThere: true,
  allowNamespaces: true,
  source: "bpf",
  eventsSource: "bpf",
};
const missing = (changed: Partial<FeatureFacts>) =>
  listFeatures({ ...facts, ...changed }).flatMap(({ name, available }) => (available ? [] : [name]));

test.each<readonly [what: string, changed: Partial<FeatureFacts>, without: readonly string[]]>([
  ["nothing", {}, []],
  ["CAP_KILL", { capabilities: bits(2, 6, 7, 8, 18, 19, 21) }, ["kill_other_users"]],
  ["CAP_DAC_READ_SEARCH", { capabilities: bits(5, 6, 7, 8, 18, 19, 21) }, ["process_details_other_users"]],
  [
    "CAP_SYS_PTRACE",
    { capabilities: bits(2, 5, 6, 7, 8, 18, 21) },
    ["process_details", "process_details_other_users", "managers", "namespaces_driver"],
  ],
  ["CAP_SETUID", { capabilities: bits(2, 5, 6, 8, 18, 19, 21) }, ["namespaces_driver"]],
  ["the setting", { allowNamespaces: false }, ["namespaces_driver"]],
  [
    "the host's PID namespace",
    { isHostPidNamespace: false },
    ["host_processes", "kill_other_users", "namespaces_driver"],
  ],
  ["koffi", { hasSyscalls: false }, ["pidfd", "managers", "namespaces_driver"]],
  ["an engine", { isEngineThere: false }, ["engine"]],
  ["BPF", { source: "procfs", eventsSource: "connector" }, ["bpf"]],
  ["events", { eventsSource: "snapshot" }, ["exit_events"]],
])("without %s so much is not available", (_what, changed, without) => {
  expect(missing(changed)).toEqual(without);
});

test("the capabilities that a feature lacks are named", () => {
  const features = listFeatures({ ...facts, capabilities: bits(19) });
  expect(Object.fromEntries(features.map(({ name, lacking }) => [name, lacking]))).toMatchObject({
    process_details: [],
    process_details_other_users: ["DAC_READ_SEARCH"],
    namespaces_driver: ["SYS_ADMIN", "SYS_CHROOT", "SETUID", "SETGID", "SETPCAP"],
  });
});
