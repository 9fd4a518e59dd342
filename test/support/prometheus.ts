import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { freePort } from "./free-port.ts";
import { noteStarted } from "./started.ts";
import { waitFor } from "./wait-for.ts";

/** What an expression gave: an error's text, or how many series, and the first one's figure. */
export interface QueryResult {
  readonly error: string | null;
  readonly series: number;
  readonly first: string | undefined;
}

/** A Prometheus of a test's own, that scrapes one target every two seconds (a scrape may take as long). */
export interface TestPrometheus {
  query(expression: string): Promise<QueryResult>;
  /** The rules that it was given, as it evaluates them. */
  rules(): Promise<
    readonly { readonly name: string; readonly health: string; readonly lastError?: string }[]
  >;
  /** Values of a label among the series of a selector. */
  labelValues(label: string, selector: string): Promise<readonly string[]>;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

/** @param target `127.0.0.1:PORT`; waits until it was scraped */
export async function startPrometheus(
  target: string,
  ruleFiles: readonly string[] = [],
): Promise<TestPrometheus> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-prometheus-"));
  const job = `{job_name: pidward, static_configs: [{targets: ["${target}"]}]}`;
  writeFileSync(
    path.join(folder, "prometheus.yml"),
    `global: {scrape_interval: 2s, evaluation_interval: 1s}
rule_files: ${JSON.stringify(ruleFiles)}
scrape_configs: [${job}]
`,
  );
  const port = await freePort();
  const args = [
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  const child = spawn("prometheus", args, { stdio: "ignore" });
  noteStarted(child.pid ?? -1);
  const ended = once(child, "exit");
  const ask = async (pathAndQuery: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${pathAndQuery}`);
    return (await answer.json()) as { readonly error?: string; readonly data?: unknown };
  };
  const query = async (expression: string): Promise<QueryResult> => {
    const { error, data } = await ask(`query?query=${encodeURIComponent(expression)}`);
    const { result = [] } = (data ?? {}) as {
      readonly result?: readonly { readonly value: readonly [number, string] }[];
    };
    return { error: error ?? null, series: result.length, first: result[0]?.value[1] };
  };
  const remove = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await waitFor("a scrape", () => query("up == 1").then(({ series }) => series === 1, notYet), 60_000);
  } catch (error) {
    const why = await ask("targets").then(({ data }) => JSON.stringify(data), String);
    await remove();
    throw new Error(`${error}: ${why}`);
  }
  return {
    query,
    rules: async () => {
      const { groups } = (await ask("rules")).data as { readonly groups: readonly { rules: never[] }[] };
      return groups.flatMap(({ rules }) => rules);
    },
    labelValues: async (label, selector) =>
      (await ask(`label/${label}/values?match[]=${encodeURIComponent(selector)}`)).data as readonly string[],
    remove,
  };
}

/** It does not listen yet. */
const notYet = (): boolean => false;
