// The programs that pidward is measured beside, from Debian's packages; one that cannot be had is left out by name.
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { install } from "../support/install-parts.mjs";

const sources = path.join(path.dirname(fileURLToPath(import.meta.url)), "c");
const exporter = "/usr/bin/prometheus-process-exporter";
const plugin = "/usr/lib/netdata/plugins.d/apps.plugin";

/** File that shows it → its packages. */
const wanted = {
  "/usr/bin/cc": ["gcc", "libc6-dev"],
  [exporter]: ["prometheus-process-exporter"],
  [plugin]: ["netdata-core"],
};

/** Installs what is missing; says what could not be. */
export function installPeers() {
  const missing = Object.entries(wanted).filter(([file]) => !existsSync(file));
  if (missing.length === 0) return;
  const reason = install(missing.flatMap(([, packages]) => packages));
  for (const [file, packages] of missing) {
    if (!existsSync(file)) console.log(`left out: ${packages[0]} (${reason ?? "its file is not there"})`);
  }
}

/** @returns the built program, undefined without a compiler */
export function buildProgram(name, scratch) {
  if (!existsSync("/usr/bin/cc")) return undefined;
  const program = path.join(scratch, name);
  const { status } = spawnSync("cc", ["-O2", "-o", program, path.join(sources, `${name}.c`)], {
    stdio: "inherit",
  });
  if (status !== 0) throw new Error(`${name}.c does not compile`);
  return program;
}

/** Every process in a group of its name, as its own examples have it. */
export function processExporter(scratch) {
  if (!existsSync(exporter)) return [];
  const config = path.join(scratch, "process-exporter.yml");
  writeFileSync(config, 'process_names:\n  - name: "{{.Comm}}"\n    cmdline: [".+"]\n');
  const port = 19_256;
  const base = { command: exporter, url: `http://127.0.0.1:${port}/metrics` };
  const args = [`-web.listen-address=127.0.0.1:${port}`, `-config.path=${config}`];
  return [
    { name: "process-exporter", ...base, args },
    {
      name: "process-exporter, no threads, no smaps",
      ...base,
      args: [...args, "-threads=false", "-gather-smaps=false"],
    },
  ];
}

export function appsPlugin() {
  if (!existsSync(plugin)) return [];
  return [
    { name: "netdata apps.plugin", command: plugin, args: ["1"] },
    { name: "netdata apps.plugin, without files", command: plugin, args: ["1", "without-files"] },
  ];
}
