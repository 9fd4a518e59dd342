import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect } from "@jest/globals";
import {
  alertRules,
  foreignQueries,
  metricNames,
  type NamedQuery,
  queriesOf,
  variablesOf,
  withoutThresholds,
} from "../support/dashboard-queries.ts";
import { makeManagersImage, managersImage, supervisordHead } from "../support/manager-images.ts";
import { hasParts } from "../support/parts.ts";
import { startPrometheus, type TestPrometheus } from "../support/prometheus.ts";
import { testWith } from "../support/test-with.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

const needs = ["docker", "busybox", "supervisor", "s6", "runit", "tini", "promtool"] as const;
const rulesFolder = path.join(__dirname, "../../deploy/prometheus");
const dashboards = readdirSync(path.join(rulesFolder, "../grafana/dashboards"));
const { agent, containers } = useEngine(["--metrics.top-processes=5"]);
const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-supervised-"));
let prometheus: TestPrometheus | undefined;
/** Acts once more: what it was asked to do is on the dashboards for a while only. */
let act = async (): Promise<void> => {};

const supervisordConfig = `${supervisordHead}[program:web]
command=/bin/sleep 100001
startsecs=0
[program:broken]
command=/bin/sh -c 'exit 7'
startretries=0
`;

/** Makes an interface of its own, since the tests' engine gives none, and sends on it. */
const chatter =
  "ip link add eth9 type bridge && ip addr add 10.9.9.1/24 dev eth9 && ip link set eth9 up && while :; do arping -c 1 -w 1 -I eth9 10.9.9.2; sleep 1; done";

/** Containers under load, one with a process manager that gave a program up, one that fails, one short of memory, one with a network. */
async function makeScene(): Promise<void> {
  await makeManagersImage(containers.docker);
  writeFileSync(path.join(scratch, "supervisord.conf"), supervisordConfig);
  const [managed, sleeper] = await Promise.all([
    containers.run({
      image: managersImage,
      argv: ["/usr/bin/python3", "/usr/bin/supervisord", "-c", "/etc/supervisor/supervisord.conf"],
      env: ["PATH=/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1"],
      host: { Binds: [`${scratch}:/etc/supervisor`] },
    }),
    containers.run({ argv: ["sh", "-c", "sleep 100001 & while :; do sleep 5; done"] }),
    containers.run({
      argv: ["sh", "-c", "while :; do :; done"],
      host: { CpuPeriod: 100_000, CpuQuota: 10_000 },
    }),
    containers.run({
      argv: ["sh", "-c", chatter],
      host: { CapAdd: ["NET_ADMIN", "NET_RAW"] },
    }),
    containers.run({
      argv: ["sh", "-c", "sleep 1; exit 3"],
      host: { RestartPolicy: { Name: "always" } },
    }),
    containers.run({
      argv: ["sh", "-c", "while :; do dd if=/dev/zero of=/dev/null bs=200M count=1; sleep 2; done"],
      host: { Memory: 16 << 20, MemorySwap: 16 << 20 },
    }),
  ]);
  prometheus = await startPrometheus(agent.address, [
    `${rulesFolder}/rules.yaml`,
    `${rulesFolder}/alerts.yaml`,
  ]);
  await waitFor(
    "supervisord's word",
    async () => {
      const { text } = await agent.get("/metrics");
      return text.includes('state="FATAL"') && text.includes('state="RUNNING",condition="running"');
    },
    90_000,
  );
  const restarted = await agent.cli("restart", `${managed.name}/web`, "--settle=1s");
  expect(restarted).toMatchObject({ code: 0 });
  expect(await agent.cli("kill", `${sleeper.name}/sleep`, "--all")).toMatchObject({ code: 0 });
  act = async () => {
    expect(await agent.cli("kill", `${managed.name}/web`, "--signal=CONT")).toMatchObject({ code: 0 });
  };
}

beforeAll(async () => {
  if (hasParts(...needs)) await makeScene();
}, 240_000);
afterAll(async () => {
  await prometheus?.remove();
  rmSync(scratch, { recursive: true });
}, 60_000);

function running(): TestPrometheus {
  if (prometheus === undefined) throw new Error("no Prometheus");
  return prometheus;
}

const actEveryMs = 5_000;

/** Asks until each query has had data. @returns what is left of them, and every error */
async function withoutData(queries: readonly NamedQuery[]): Promise<readonly string[]> {
  const errors = new Set<string>();
  let left = queries;
  let actedAt = 0;
  const ask = async (): Promise<boolean> => {
    if (Date.now() - actedAt > actEveryMs) {
      await act();
      actedAt = Date.now();
    }
    const empty: NamedQuery[] = [];
    for (const query of left) {
      const { error, series } = await running().query(query.expr);
      if (error !== null) errors.add(`${query.from}: ${error} in ${query.expr}`);
      else if (series === 0) empty.push(query);
    }
    left = empty;
    return left.length === 0;
  };
  // Those that are left are the answer.
  await waitFor("data", ask, 60_000).catch(() => undefined);
  return [...errors, ...left.map(({ from, expr }) => `${from}: no data for ${expr}`)];
}

for (const name of dashboards) {
  testWith(
    needs,
    `every query of ${name} has data`,
    async () => {
      expect(await withoutData(queriesOf(name).filter(({ from }) => !isOfFailures(from)))).toEqual([]);
      const variables = variablesOf(name);
      expect(variables.length).toBeGreaterThan(0);
      for (const { label, selector } of variables)
        expect(await running().labelValues(label, selector)).not.toHaveLength(0);
    },
    120_000,
  );
}

/** Queries of what an agent that is well does not count: they have data once it has failed in that way. */
const ofFailures = ["What was missed (C)", "What was missed (D)"];
const isOfFailures = (from: string): boolean => ofFailures.includes(from);

testWith(
  needs,
  "queries of dashboards for cAdvisor, process-exporter and node_exporter have data",
  async () => expect(await withoutData(foreignQueries())).toEqual([]),
  120_000,
);

/** Alerts whose expression has no series here whatever the threshold. */
const silentAlerts: Readonly<Record<string, string>> = {
  PidwardProgramDown: "what is steady is known after half an hour",
  PidwardContainerStopped: "what is steady is known after half an hour",
  PidwardAgentAbsent: "the agent is scraped",
  PidwardScanProblems: "there is none",
  PidwardCollectorFails: "none does",
};

testWith(
  needs,
  "Prometheus evaluates every rule, and each alert has what it looks at",
  async () => {
    const faults = await waitFor("all rules to be evaluated", async () => {
      const rules = await running().rules();
      return rules.length > alertRules().length && rules.every(({ health }) => health !== "unknown") && rules;
    });
    expect(faults.filter(({ health }) => health !== "ok")).toEqual([]);
    const asked = alertRules()
      .filter(({ alert }) => silentAlerts[alert] === undefined)
      .map(({ alert, expr }) => ({ from: alert, expr: withoutThresholds(expr) }));
    const recorded = (await running().rules()).map(({ name }) => name);
    expect(await withoutData(asked.filter(({ expr }) => !mentions(expr, recorded)))).toEqual([]);
    const firing = 'ALERTS{alertname="PidwardOomKill",alertstate="firing"}';
    await waitFor("the alert on the OOM killer", async () => (await running().query(firing)).series > 0);
    const failed = 'ALERTS{alertname="PidwardProgramFailed",program="broken",state="FATAL"}';
    await waitFor(
      "the alert on the failed program",
      async () => (await running().query(failed)).series === 1,
    );
    const ofAgent = 'ALERTS{alertname=~"Pidward(Agent|Runtime|Audit|Events).*",alertstate="firing"}';
    expect(await running().query(ofAgent)).toMatchObject({ error: null, series: 0 });
  },
  120_000,
);

/** Names of records are not on /metrics. */
function mentions(expr: string, names: readonly string[]): boolean {
  return metricNames(expr).some((name) => names.includes(name));
}
