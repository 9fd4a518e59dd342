// Servers whose ratio counts, measured turn by turn: within minutes the machine's speed changes by a half, so that figures
// taken one after the other compare its moments and not the servers.
import { once } from "node:events";
import {
  cpuUs,
  pause,
  residentMiB,
  scrapeForSecond,
  spawnServed,
  spawnWorking,
  summarize,
} from "./measure.mjs";

/**
 * Each runs until all are measured; a turn is some seconds of one of them, after one that does not count.
 * A server that is not asked rests (the agent goes on to scan); what works by itself is stopped between its turns.
 * @param servers `{ name, command, args, url, env, seconds, warm, look }`; without `url` it works once a second by itself.
 *   `warm` seconds come before the first turn: what runs for months is not measured while it still compiles.
 * @param turns so many of each
 * @returns for each that could be started: its name, CPU µs per process and second, ms of a scrape, MiB, ms to the first answer
 */
export async function measureInTurns(servers, { turns, processes }) {
  const runs = [];
  try {
    for (const server of servers) {
      const run = await startRun(server);
      if (run === undefined) continue;
      runs.push(run);
      for (let second = 0; second < (server.warm ?? 1); second++) await run.second();
      // Nobody waits for a turn of one that is alone.
      if (servers.length > 1) run.rest();
    }
    for (let turn = 0; turn < turns; turn++)
      for (const run of runs) await takeTurn(run, processes, runs.length > 1);
    const results = [];
    for (const { server, child, costs, latencies, firstAnswerMs } of runs)
      results.push({
        name: server.name,
        cpuUs: summarize(costs),
        ...(server.url === undefined ? {} : { latencyMs: summarize(latencies), firstAnswerMs }),
        residentMiB: residentMiB(child.pid),
        ...(await server.look?.({ pid: child.pid, url: server.url })),
      });
    return results;
  } finally {
    for (const run of runs) await run.stop();
  }
}

async function startRun(server) {
  try {
    const { child, firstAnswerMs } = await (server.url === undefined
      ? spawnWorking(server)
      : spawnServed(server));
    const ended = once(child, "exit");
    return {
      server,
      child,
      firstAnswerMs,
      costs: [],
      latencies: [],
      second: () => (server.url === undefined ? pause(1_000) : scrapeForSecond(server.url)),
      rest: () => server.url ?? child.kill("SIGSTOP"),
      wake: () => server.url ?? child.kill("SIGCONT"),
      stop: async () => {
        child.kill(server.url === undefined ? "SIGKILL" : "SIGTERM");
        await ended;
      },
    };
  } catch (error) {
    console.log(`left out: ${server.name} (${error.message})`);
    return undefined;
  }
}

async function takeTurn({ server, child, costs, latencies, second, rest, wake }, processes, hasOthers) {
  wake();
  await second();
  for (let count = 0; count < server.seconds; count++) {
    if (child.exitCode !== null) throw new Error(`${server.command} ended with ${child.exitCode}`);
    const from = cpuUs(child.pid);
    latencies.push(await second());
    costs.push((cpuUs(child.pid) - from) / processes);
  }
  if (hasOthers) rest();
}
