import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect } from "@jest/globals";
import { alertRules } from "../support/dashboard-queries.ts";
import { testWith } from "../support/test-with.ts";

const rulesFolder = path.join(__dirname, "../../deploy/prometheus");

testWith(
  ["promtool"],
  "promtool accepts the configuration, and its tests have every alert fire",
  async () => {
    const tests = readdirSync(`${rulesFolder}/tests`).map((name) => `${rulesFolder}/tests/${name}`);
    for (const args of [
      ["check", "config", `${rulesFolder}/scrape.yaml`],
      ["check", "rules", `${rulesFolder}/rules.yaml`, `${rulesFolder}/alerts.yaml`],
      ["test", "rules", ...tests],
    ]) {
      const { status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8" });
      expect(status === 0 ? "" : `${stdout}${stderr}`).toBe("");
    }
    const text = tests.map((file) => readFileSync(file, "utf8")).join("\n");
    const untried = alertRules().filter(({ alert }) => !text.includes(`- labels: '{alertname="${alert}"`));
    expect(untried).toEqual([]);
  },
);
