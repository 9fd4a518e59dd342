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
import { measurePlugin, measureRounds, measureServer } from "./measure.mjs";
import { appsPlugin, buildProgram, installPeers, processExporter } from "./peers.mjs";
import { printBudgets, printFamilies, printSize } from "./report.mjs";
import { measureStorm } from "./storm.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const program = path.join(here, "../../dist/main.js");
const port = 19_776;

const { values } = parseArgs({ options: { quick: { type: "boolean" }, sizes: { type: "string" } } });
const quick = values.quick === true;
const sizes = (values.sizes ?? (quick ? "1000" : "1000,5000,10000")).split(",").map(Number);
const effort = quick
  ? { rounds: 15, scrapes: 4, warmScrapes: 4, stormSeconds: 5 }
  : { rounds: 40, scrapes: 12, warmScrapes: 60, stormSeconds: 20 };

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
    storm: build("storm"),
  };
  if (programs.load === undefined)
    throw new Error("the load is a C program: it needs a compiler (Debian's gcc and libc6-dev)");
  console.log(
    `${new Date().toISOString().slice(0, 10)}, ${os.cpus().length} CPUs (${os.cpus()[0].model.trim()}), ${os.release()}, node ${process.version}`,
  );
  const results = new Map();
  for (const size of sizes) {
    const containers = Math.max(10, size / 50);
    const load = await startLoad(programs.load, size, containers);
    try {
      const result = await measureSize(programs, load, size === sizes[0]);
      results.set(size, result);
      printSize(size, containers, result);
      // Of the size that the budgets are about; the quick run has no time for it.
      if (!quick && size === (sizes[1] ?? sizes[0]))
        printFamilies(
          await measureFamilies(
            (more) => measureAgent("auto", result.processes, undefined, more),
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
      [path.join(here, "scans.mjs"), String(effort.rounds), programs.readIterator],
      {
        stdio: ["ignore", "pipe", "inherit"],
        encoding: "utf8",
      },
    ).stdout,
  );
  const args = [String(effort.rounds)];
  const procfsInC = measureRounds({ command: programs.readProcfs, args, processes });
  const servers = [];
  for (const source of scans.bpf === undefined ? ["procfs"] : ["bpf", "procfs"]) {
    const look =
      withStorm && source === "bpf" ? (agent) => stormIn(load.groups[0], programs.storm, agent) : undefined;
    servers.push({ name: `pidward, ${source}`, ...(await measureAgent(source, processes, look)) });
  }
  for (const peer of processExporter(scratch)) {
    servers.push(
      ...(await unlessItFails(peer, measureServer({ ...peer, processes, scrapes: effort.scrapes }))),
    );
  }
  for (const peer of appsPlugin()) {
    servers.push(
      ...(await unlessItFails(peer, measurePlugin({ ...peer, processes, seconds: effort.scrapes }))),
    );
  }
  return { scans, procfsInC, servers, processes };
}

/** Short-lived processes in one of the load's cgroups. */
async function stormIn(folder, program, agent) {
  const id = path.basename(folder).slice(0, 12);
  const group = `${folder}/cgroup.procs`;
  return {
    storm: await measureStorm({ program, agent, group, id, rate: 2_000, seconds: effort.stormSeconds }),
  };
}

/** A peer that does not run here is left out by name. */
async function unlessItFails({ name }, measuring) {
  try {
    return [{ name, ...(await measuring) }];
  } catch (error) {
    console.log(`left out: ${name} (${error.message})`);
    return [];
  }
}

/** One scan and one scrape a second, as a Prometheus would have it at the most. */
function measureAgent(source, processes, look, more = []) {
  const url = `http://127.0.0.1:${port}/metrics`;
  return measureServer({
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
    url,
    processes,
    scrapes: effort.scrapes,
    warmScrapes: effort.warmScrapes,
    env: { DOCKER_HOST: "" },
    ...(look === undefined ? {} : { look }),
  });
}
