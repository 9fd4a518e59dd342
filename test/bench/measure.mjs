// CPU time of processes: of a shared machine only ratios within one run count, and CPU time, since its clock is shared.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import http from "node:http";

/** What is done once for each life of a process has to be over before anything counts. */
const settleMs = 4_000;

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @returns the least and the middle of some figures */
export function summarize(figures) {
  const sorted = [...figures].sort((a, b) => a - b);
  return { best: sorted[0], median: sorted[sorted.length >> 1] };
}

/** Microseconds on a CPU so far, over all threads (/proc/PID/task/TID/schedstat, Documentation/scheduler/sched-stats.rst). */
export function cpuUs(pid) {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ")[0]);
    } catch (error) {
      // A thread that has just ended.
      if (error.code !== "ENOENT" && error.code !== "ESRCH") throw error;
    }
  }
  return nanoseconds / 1000;
}

function residentMiB(pid) {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024);
}

/** Asks for a page; gives the milliseconds until its end, undefined when nobody answers. */
function scrape(url) {
  return new Promise((resolve) => {
    const from = performance.now();
    const headers = { "accept-encoding": "gzip" };
    const request = http.get(url, { agent: false, headers, timeout: 120_000 }, (response) => {
      response.resume();
      response.once("end", () => resolve(response.statusCode === 200 ? performance.now() - from : undefined));
    });
    request.once("error", () => resolve(undefined));
  });
}

/** Asks for a page, and waits until a second is over. @returns as `scrape` */
async function scrapeForSecond(url) {
  const from = performance.now();
  const latency = await scrape(url);
  await pause(Math.max(0, 1_000 - (performance.now() - from)));
  return latency;
}

/**
 * Runs a server and scrapes it so often, once a second at most.
 * @param warmScrapes so often before anything counts: what runs for months is not measured while it still compiles
 * @returns CPU µs per process and second with one scrape in it, milliseconds of a scrape, MiB, milliseconds to the first answer
 */
export async function measureServer({
  command,
  args,
  url,
  processes,
  scrapes,
  warmScrapes = 1,
  env = {},
  look = () => {},
}) {
  const began = performance.now();
  const child = spawn(command, args, { stdio: "ignore", env: { ...process.env, ...env } });
  const ended = once(child, "exit");
  try {
    while ((await scrape(url)) === undefined) {
      const isLate = performance.now() - began > 60_000;
      if (child.exitCode !== null || isLate) throw new Error(`${command} does not answer`);
      await pause(20);
    }
    const firstAnswerMs = performance.now() - began;
    await scrape(url);
    await pause(settleMs);
    for (let count = 0; count < warmScrapes; count++) await scrapeForSecond(url);
    const latencies = [];
    const costs = [];
    for (let count = 0; count < scrapes; count++) {
      const from = cpuUs(child.pid);
      latencies.push(await scrapeForSecond(url));
      costs.push((cpuUs(child.pid) - from) / processes);
    }
    const more = await look({ pid: child.pid, url });
    return {
      cpuUs: summarize(costs),
      latencyMs: summarize(latencies),
      firstAnswerMs,
      residentMiB: residentMiB(child.pid),
      ...more,
    };
  } finally {
    child.kill("SIGTERM");
    await ended;
  }
}

/** Runs a program for some seconds that works once a second by itself. */
export async function measurePlugin({ command, args, processes, seconds }) {
  // It ends with its input.
  const child = spawn(command, args, { stdio: ["pipe", "ignore", "ignore"] });
  const ended = once(child, "exit");
  try {
    await pause(settleMs);
    const costs = [];
    for (let second = 0; second < seconds; second++) {
      if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}`);
      const from = cpuUs(child.pid);
      await pause(1_000);
      costs.push((cpuUs(child.pid) - from) / processes);
    }
    return { cpuUs: summarize(costs), residentMiB: residentMiB(child.pid) };
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

/** Runs a program that prints the CPU µs of each of its rounds. */
export function measureRounds({ command, args, processes, stdio = ["ignore", "pipe", "inherit"] }) {
  const { stdout, status } = spawnSync(command, args, { stdio, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ended with ${status}`);
  const rounds = stdout.trim().split("\n");
  return summarize(rounds.map((line) => Number(line.split(" ")[0]) / processes));
}
