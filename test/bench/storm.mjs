// Many short-lived processes a second: what the agent uses meanwhile, and whether it counts every one.
import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import { cpuUs, pause } from "./measure.mjs";

/**
 * @param agent a running agent: `{ pid, url }`
 * @param group file cgroup.procs of the container that they are to be in, whose id begins with `id`
 * @returns share of one CPU that the agent used, how many ended and how many of them it counted there, and those lost
 */
export async function measureStorm({ program, agent, group, id, rate, seconds }) {
  const storm = spawn(program, [String(rate), String(seconds), group], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(storm, "exit");
  try {
    const before = await countExits(agent.url, id);
    const from = cpuUs(agent.pid);
    const began = performance.now();
    storm.stdin.write("\n");
    const [said] = await Promise.race([once(storm.stdout, "data"), ended]);
    const used = cpuUs(agent.pid) - from;
    const took = performance.now() - began;
    // The last ends are taken and scanned.
    await pause(3_000);
    const after = await countExits(agent.url, id);
    return {
      share: used / 1000 / took,
      perSecond: (Number(said) / took) * 1000,
      made: Number(said),
      counted: after.exits - before.exits,
      lost: after.lost,
    };
  } finally {
    storm.stdin.end();
    await ended;
  }
}

async function countExits(url, id) {
  const text = await read(url);
  const figure = (pattern) => [...text.matchAll(pattern)].reduce((sum, [, value]) => sum + Number(value), 0);
  return {
    exits: figure(
      new RegExp(
        `^pidward_program_exits_total\\{container="${id}"[^}]*reason="exit_nonzero"\\} (\\d+)$`,
        "gm",
      ),
    ),
    lost: figure(/^pidward_events_lost_total (\d+)$/gm),
  };
}

function read(url) {
  return new Promise((resolve, reject) => {
    http
      .get(url, { agent: false }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk) => {
          text += chunk;
        });
        response.once("end", () => resolve(text));
      })
      .once("error", reject);
  });
}
