import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { parseExposition } from "../metrics/parse-exposition.ts";
import { TestAgent } from "../support/agent.ts";
import { TestContainers } from "../support/containers.ts";
import { countDescriptors } from "../support/descriptors.ts";
import { judgeFlatness, type Sample } from "./flat.ts";

const minutes = Number(process.env.PIDWARD_SOAK_MINUTES ?? 10);
const sampleMs = 10_000;
const scrapeMs = 1_000;

const agent = new TestAgent();
const containers = new TestContainers();
let started = 0;
let scrapes = 0;
let isOver = false;

beforeAll(async () => {
  await agent.start({ engine: process.env.PIDWARD_TEST_ENGINE ?? "" });
}, 60_000);
afterAll(async () => {
  await containers.removeAll();
  await agent.remove();
}, 120_000);

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

/** What lives for seconds in containers of each kind: one program, several, and some that crash and come back. */
const kinds: readonly (readonly string[])[] = [
  ["sh", "-c", "sleep 100000"],
  ["sh", "-c", "for i in 1 2 3 4 5 6; do sleep 100000 & done; while true; do sleep 1; wait; done"],
  ["sh", "-c", "while true; do sh -c 'sleep 0.1; exit 3'; done"],
  ["sh", "-c", "httpd -f -p 80 & tail -f /dev/null & sleep 3; exit 1"],
];

/** Starts containers one after the other and removes them again, until the time is over. */
async function churn(first: number): Promise<void> {
  const docker = containers.docker;
  for (let kind = first; !isOver; kind++) {
    const argv = kinds[kind % kinds.length] ?? [];
    const { id } = await containers.run({ argv });
    started++;
    await delay(1_500);
    await docker.getContainer(id).remove({ force: true, v: true });
    containers.forget(id);
  }
}

async function scrape(): Promise<void> {
  while (!isOver) {
    const from = performance.now();
    for (const path of ["/metrics", "/api/v1/processes", "/api/v1/containers"])
      expect((await agent.get(path)).status).toBe(200);
    scrapes++;
    await delay(Math.max(0, scrapeMs - (performance.now() - from)));
  }
}

async function look(): Promise<Sample> {
  const status = readFileSync(`/proc/${agent.pid}/status`, "latin1");
  const series = parseExposition((await agent.get("/metrics")).text);
  return {
    resident: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024,
    heap: (series.find(({ name }) => name === "nodejs_heap_size_used_bytes")?.value ?? Number.NaN) / 2 ** 20,
    descriptors: countDescriptors(agent.pid),
  };
}

test(
  "memory and descriptors stay as they are while containers start and die",
  async () => {
    const until = Date.now() + minutes * 60_000;
    const work = Promise.all([churn(0), churn(2), scrape()]);
    const samples: Sample[] = [];
    say("seconds  containers  scrapes  RSS MiB  heap MiB  descriptors");
    try {
      while (Date.now() < until) {
        // What fails in between ends the run.
        await Promise.race([delay(sampleMs), work]);
        const sample = await look();
        samples.push(sample);
        const cells = [
          (samples.length * sampleMs) / 1000,
          started,
          scrapes,
          sample.resident.toFixed(1),
          sample.heap.toFixed(1),
          sample.descriptors,
        ];
        say(cells.map((cell, at) => String(cell).padStart([7, 10, 7, 7, 8, 11][at] ?? 0)).join("  "));
      }
    } finally {
      isOver = true;
    }
    await work;
    const verdicts = judgeFlatness(samples);
    for (const { what, middle, last, allowed, isFlat } of verdicts)
      say(
        `${what}: ${middle.toFixed(1)} in the middle third, ${last.toFixed(1)} in the last one (at most ${allowed.toFixed(1)} more): ${isFlat ? "flat" : "NOT FLAT"}`,
      );
    say(
      `${started} containers, ${scrapes} scrapes: ${verdicts.every(({ isFlat }) => isFlat) ? "flat" : "NOT FLAT"}`,
    );
    expect(verdicts.filter(({ isFlat }) => !isFlat)).toEqual([]);
  },
  (minutes + 3) * 60_000,
);
