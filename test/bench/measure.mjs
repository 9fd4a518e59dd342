// CPU time of processes: of a shared machine only ratios within one run count, and CPU time, since its clock is shared.
import { spawn } from "node:child_process";
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

export function residentMiB(pid) {
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
export async function scrapeForSecond(url) {
  const from = performance.now();
  const latency = await scrape(url);
  await pause(Math.max(0, 1_000 - (performance.now() - from)));
  return latency;
}

/**
 * Starts a server, and waits until it has answered and done what is done once for each life of a process.
 * @returns it, and the milliseconds to its first answer
 */
export async function spawnServed({ command, args, url, env = {} }) {
  const began = performance.now();
  const child = spawn(command, args, { stdio: "ignore", env: { ...process.env, ...env } });
  while ((await scrape(url)) === undefined) {
    const isLate = performance.now() - began > 60_000;
    if (child.exitCode !== null || isLate) {
      child.kill("SIGKILL");
      throw new Error(`${command} does not answer`);
    }
    await pause(20);
  }
  const firstAnswerMs = performance.now() - began;
  await scrape(url);
  await pause(settleMs);
  return { child, firstAnswerMs };
}

/** Starts a program that works once a second by itself, and ends with its input. */
export async function spawnWorking({ command, args }) {
  const child = spawn(command, args, { stdio: ["pipe", "ignore", "ignore"] });
  await pause(settleMs);
  if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}`);
  return { child };
}
