// npm run bench [-- --quick] [-- --sizes=1000,5000]: pidward beside its peers, on sleeping processes that it makes itself.
// It prints CPU per process and scan, latency and memory, then each budget with the ratio that was measured.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { budgets } from "./budgets.mjs";
import { measureFamilies } from "./families.mjs";
import { startLoad } from "./load.mjs";
import { appsPlugin, buildProgram, installPeers, processExporter } from "./peers.mjs";
import { printBudgets, printFamilies, printSize } from "./report.mjs";
import { measureStorm } from "./storm.mjs";
import { measureInTurns } from "./turns.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const program = path.join(here, "../../dist/main.js");
const port = 19_776;

const { values } = parseArgs({ options: { quick: { type: "boolean" }, sizes: { type: "string" } } });
const quick = values.quick === true;
const sizes = (values.sizes ?? (quick ? "1000" : "1000,5000,10000")).split(",").map(Number);
const effort = quick
  ? { rounds: 15, turns: 2, seconds: 5, peerSeconds: 2, warm: 4, warmAlone: 4, stormSeconds: 5 }
  : { rounds: 40, turns: 4, seconds: 10, peerSeconds: 3, warm: 120, warmAlone: 60, stormSeconds: 20 };

if (sizes.some((size) => !Number.isInteger(size) || size < 1 || size > 20_000)) {
  console.error("--sizes takes numbers from 1 to 20000, divided by commas");
  process.exit(2);
}
if (process.geteuid() !== 0) {
  console.error("the benchmark makes cgroups and loads BPF programs: it needs root");
  process.exit(2);
}
installPeers();
const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-bench-"));
try {
  await run();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

async function run() {
  const build = (name) => buildProgram(name, scratch);
  const programs = {
    load: build("load"),
    readProcfs: build("read-procfs"),
    readIterator: build("read-iterator"),
    runWalk: build("run-walk"),
    storm: build("storm"),
  };
  if (programs.load === undefined)
    throw new Error("the load is a C program: it needs a compiler (Debian's gcc and libc6-dev)");
  console.log(
    `${new Date().toISOString().slice(0, 10)}, ${os.cpus().length} CPUs (${os.cpus()[0].model.trim()}), ${os.release()}, node ${process.version}`,
  );
  const results = new Map();
  for (const size of sizes) {
    // As the budgets have it.
    const containers = Math.max(10, Math.min(100, size / 50));
    const load = await startLoad(programs.load, size, containers);
    try {
      const result = await measureSize(programs, load, size === sizes[0]);
      results.set(size, result);
      printSize(size, containers, result);
      // Of the size that the budgets are about; the quick run has no time for it.
      if (!quick && size === (sizes[1] ?? sizes[0]))
        printFamilies(
          await measureFamilies(
            async (more) => (await alone(agentOf("auto", more), result.processes))[0],
            result.processes,
          ),
          result.processes,
          containers,
        );
    } finally {
      await load.stop();
    }
  }
  printBudgets(budgets(results));
}

/** Everything with the same processes there. */
async function measureSize(programs, load, withStorm) {
  const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).length;
  const scans = JSON.parse(
    spawnSync(
      process.execPath,
      [
        path.join(here, "scans.mjs"),
        String(effort.rounds),
        programs.readIterator,
        programs.runWalk,
        programs.readProcfs,
      ],
      {
        stdio: ["ignore", "pipe", "inherit"],
        encoding: "utf8",
      },
    ).stdout,
  );
  const look = withStorm ? (agent) => stormIn(load.groups[0], programs.storm, agent) : undefined;
  const [exporter, leanExporter] = processExporter(scratch).map(asPeer);
  const [plugin, leanPlugin] = appsPlugin().map(asPeer);
  const source = scans.bpf === undefined ? "procfs" : "bpf";
  const servers = await measureInTurns(
    [{ ...agentOf(source), warm: effort.warm, look }, leanExporter, leanPlugin].filter(
      (one) => one !== undefined,
    ),
    { turns: effort.turns, processes },
  );
  for (const one of [source === "bpf" ? agentOf("procfs") : undefined, exporter, plugin])
    if (one !== undefined) servers.push(...(await alone(one, processes)));
  return { scans, servers, processes };
}

/** One whose figures stand for themselves. */
function alone(server, processes) {
  return measureInTurns([server], { turns: 1, processes });
}

function asPeer(peer) {
  return { ...peer, seconds: effort.peerSeconds };
}

/** Short-lived processes in one of the load's cgroups. */
async function stormIn(folder, program, agent) {
  const id = path.basename(folder).slice(0, 12);
  const group = `${folder}/cgroup.procs`;
  return {
    storm: await measureStorm({ program, agent, group, id, rate: 2_000, seconds: effort.stormSeconds }),
  };
}

/** One scan and one scrape a second, as a Prometheus would have it at the most. */
function agentOf(source, more = []) {
  return {
    name: `pidward, ${source}`,
    command: process.execPath,
    // As `npm start` does.
    args: [
      "--max-semi-space-size=1",
      program,
      "agent",
      `--web.listen-address=127.0.0.1:${port}`,
      `--control.socket=${scratch}/pidward.sock`,
      `--audit.file=${scratch}/audit.jsonl`,
      `--docker.socket=${existsSync("/var/run/docker.sock") ? "/var/run/docker.sock" : `${scratch}/none.sock`}`,
      `--source=${source}`,
      "--log.level=error",
      ...more,
    ],
    url: `http://127.0.0.1:${port}/metrics`,
    env: { DOCKER_HOST: "", MALLOC_ARENA_MAX: "1" },
    seconds: effort.seconds,
    warm: effort.warmAlone,
  };
}
