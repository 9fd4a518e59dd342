import { AgentError, reasonOf } from "./errors.ts";
import { readArguments } from "./flags.ts";
import { type LogFormat, type LogLevel, logFormats, logLevels } from "./log.ts";
import { metricGroups, parseMetricChoice } from "./metric-choice.ts";
import {
  asAuditSize,
  asChoice,
  asContainerLabels,
  asCount,
  asKeptFiles,
  asListenAddress,
  asOptionalPath,
  asPath,
  asRefresh,
  asScanInterval,
  asSessionSpan,
  asSwitch,
  asText,
  asUrlPath,
} from "./setting-parsers.ts";

/** What the defaults depend on. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Effective user id; 0 is root. */
  readonly uid: number;
  readonly home: string;
  /** Where the host's root is seen: `/` on the host itself. */
  readonly hostRoot: string;
}

interface Setting<T> {
  readonly flag: string;
  /** What stands behind the flag in the help; empty: a switch that takes no value. */
  readonly value: string;
  readonly fallback: string | ((around: Surroundings) => string);
  readonly meaning: string;
  /** @throws Error with a message that says which form is expected */
  readonly parse: (text: string) => T;
}

function setting<T>(
  flag: string,
  value: string,
  fallback: Setting<T>["fallback"],
  meaning: string,
  parse: (text: string) => T,
): Setting<T> {
  return { flag, value, fallback, meaning, parse };
}

/** The one table of settings: flags, environment names, --help and the README's table are made from it. */
const settings = {
  webListenAddress: setting(
    "web.listen-address",
    "HOST:PORT",
    "127.0.0.1:10776",
    "Where HTTP listens; without --web.config.file it answers reads only.",
    asListenAddress,
  ),
  webConfigFile: setting(
    "web.config.file",
    "FILE",
    "",
    "TLS, users and roles for TCP: the file of Prometheus's exporter-toolkit, with pidward_roles besides.",
    asOptionalPath,
  ),
  webTelemetryPath: setting("web.telemetry-path", "PATH", "/metrics", "Path of the metrics.", asUrlPath),
  controlSocket: setting(
    "control.socket",
    "FILE",
    (around) => defaultPaths(around).socket,
    "Unix socket (mode 0660) with all rights: reads, signal, restart, exec, attach.",
    asPath,
  ),
  controlAllowHost: setting(
    "control.allow-host",
    "",
    "false",
    "Allow acting on processes that belong to no container.",
    asSwitch,
  ),
  controlAllowNamespaces: setting(
    "control.allow-namespaces",
    "",
    "false",
    "Allow restarts without an engine, through the container's namespaces.",
    asSwitch,
  ),
  controlReadOnly: setting(
    "control.read-only",
    "",
    "false",
    "Refuse all that acts, on the socket too; dry runs are answered.",
    asSwitch,
  ),
  auditFile: setting(
    "audit.file",
    "FILE",
    (around) => defaultPaths(around).audit,
    "What was done, by whom, on what: one JSON line a record, on disk before the act.",
    asPath,
  ),
  auditMaxSize: setting(
    "audit.max-size",
    "SIZE",
    "16MiB",
    "Put the audit file aside, as FILE.1, FILE.2, …, before it grows beyond this.",
    asAuditSize,
  ),
  auditKeep: setting(
    "audit.keep",
    "COUNT",
    "10",
    "How many audit files that were put aside are kept; from 1 to 100.",
    asKeptFiles,
  ),
  auditBestEffort: setting(
    "audit.best-effort",
    "",
    "false",
    "Act also when the audit record cannot be written (full disk); it is in the log then.",
    asSwitch,
  ),
  attachIdleTimeout: setting(
    "attach.idle-timeout",
    "SPAN",
    "30m",
    "End an attached terminal after so long without a byte in either direction.",
    asSessionSpan,
  ),
  attachMaxDuration: setting(
    "attach.max-duration",
    "SPAN",
    "12h",
    "End an attached terminal after so long in any case.",
    asSessionSpan,
  ),
  scanInterval: setting("scan.interval", "SPAN", "1s", "Time between two scans.", asScanInterval),
  source: setting(
    "source",
    "NAME",
    "auto",
    "How processes are read: auto (BPF where it can be had), bpf or procfs.",
    asChoice(["auto", "bpf", "procfs"] as const),
  ),
  eventsSource: setting(
    "events.source",
    "NAME",
    "auto",
    "How ends of processes are learned: auto, bpf, connector (netlink) or snapshot (comparing scans).",
    asChoice(["auto", "bpf", "connector", "snapshot"] as const),
  ),
  dockerSocket: setting(
    "docker.socket",
    "ADDRESS",
    (around) => around.env.DOCKER_HOST || "/var/run/docker.sock",
    "Docker Engine: a socket's path, unix:// or tcp:// (DOCKER_HOST is honoured).",
    asText,
  ),
  pathProcfs: setting("path.procfs", "DIR", "/proc", "Where the host's procfs is mounted.", asPath),
  pathSysfs: setting(
    "path.sysfs",
    "DIR",
    ({ hostRoot }) => (hostRoot === "/" ? "/sys" : `${hostRoot}/sys`),
    "Where the host's sysfs is; in a container it is looked for below the host's root.",
    asPath,
  ),
  pathRootfs: setting(
    "path.rootfs",
    "DIR",
    ({ hostRoot }) => hostRoot,
    "Where the host's root is; in a container /host, /rootfs or the root of the host's PID 1 is found by itself.",
    asPath,
  ),
  metricsFamilies: setting(
    "metrics.families",
    "LIST",
    metricGroups.join(","),
    "Families on /metrics, by commas: a group, one of its collectors (node.cpu), or -GROUP, -COLLECTOR to leave it out.",
    parseMetricChoice,
  ),
  metricsRefresh: setting(
    "metrics.refresh",
    "SPAN",
    "5s",
    "Figures of container_*, node_* and the agent's process_* and nodejs_* that were read less than so long ago are shown again; 0s: read at each scrape.",
    asRefresh,
  ),
  metricsMaxSeries: setting(
    "metrics.max-series",
    "COUNT",
    "50000",
    'Bound on all series; beyond it the smallest programs and groups of processes are summed into "other", the smallest cgroups left out.',
    asCount(1000),
  ),
  containersLabels: setting(
    "containers.labels",
    "REGEX",
    "com\\.docker\\.(compose|swarm)\\..+|com\\.docker\\.stack\\.namespace",
    "Labels of containers that container_* bear as container_label_…: an expression for the whole name, all or none.",
    asContainerLabels,
  ),
  metricsTopProcesses: setting(
    "metrics.top-processes",
    "COUNT",
    "0",
    "Series for single processes: the top COUNT by CPU and by memory; 0 gives none.",
    asCount(0),
  ),
  processExporterConfig: setting(
    "process-exporter.config",
    "FILE",
    "",
    "How processes are grouped for namedprocess_*: process-exporter's own file; without one by name.",
    asOptionalPath,
  ),
  processExporterChildren: setting(
    "process-exporter.children",
    "",
    "true",
    "Processes that no rule of it matches belong to the group of their nearest ancestor that has one.",
    asSwitch,
  ),
  processExporterRecheck: setting(
    "process-exporter.recheck",
    "",
    "false",
    "Match processes without a group again when their name or command line changes.",
    asSwitch,
  ),
  processExporterRemoveEmptyGroups: setting(
    "process-exporter.remove-empty-groups",
    "",
    "false",
    "Forget a group with its last process instead of showing its counters on.",
    asSwitch,
  ),
  redact: setting(
    "redact",
    "",
    "true",
    "Mask arguments of command lines that look like secrets; --redact=false shows them.",
    asSwitch,
  ),
  logLevel: setting<LogLevel>(
    "log.level",
    "LEVEL",
    "info",
    `One of ${logLevels.join(", ")}.`,
    asChoice(logLevels),
  ),
  logFormat: setting<LogFormat>(
    "log.format",
    "FORMAT",
    "logfmt",
    `One of ${logFormats.join(", ")}.`,
    asChoice(logFormats),
  ),
} as const;

type Settings = typeof settings;
export type Config = { readonly [K in keyof Settings]: ReturnType<Settings[K]["parse"]> };

/** `scan.interval` → `PIDWARD_SCAN_INTERVAL`. */
function environmentName(flag: string): string {
  return `PIDWARD_${flag.toUpperCase().replaceAll(/[.-]/g, "_")}`;
}

/** Where socket and audit file are by default: the system's folders for root, else the user's own. */
export function defaultPaths(around: Surroundings): { readonly socket: string; readonly audit: string } {
  if (around.uid === 0) return { socket: "/run/pidward/pidward.sock", audit: "/var/lib/pidward/audit.jsonl" };
  const state = around.env.XDG_STATE_HOME || `${around.home}/.local/state`;
  const runtime = around.env.XDG_RUNTIME_DIR || state;
  return { socket: `${runtime}/pidward/pidward.sock`, audit: `${state}/pidward/audit.jsonl` };
}

/**
 * Reads the agent's settings: flag, else environment, else default.
 * @param argv the arguments behind the command's name
 * @throws AgentError `bad_request` that names the flag or variable and what is wrong with it
 */
export function loadConfig(argv: readonly string[], around: Surroundings): Config {
  const given = readFlags(argv);
  const entries = Object.entries(settings).map(([key, one]: [string, Setting<unknown>]) => {
    const variable = environmentName(one.flag);
    const fromEnvironment = around.env[variable];
    const fallback = typeof one.fallback === "string" ? one.fallback : one.fallback(around);
    const [origin, text] = given.has(one.flag)
      ? [`--${one.flag}`, given.get(one.flag) ?? ""]
      : fromEnvironment !== undefined
        ? [variable, fromEnvironment]
        : [`--${one.flag}`, fallback];
    try {
      return [key, one.parse(text)];
    } catch (error) {
      throw new AgentError("bad_request", `${origin}: ${reasonOf(error)}`);
    }
  });
  return Object.freeze(Object.fromEntries(entries)) as Config;
}

function readFlags(argv: readonly string[]): ReadonlyMap<string, string> {
  const known = Object.values<Setting<unknown>>(settings).map(({ flag, value }) => ({ name: flag, value }));
  const { args, flags } = readArguments(argv, known, "");
  const [unexpected] = args;
  if (unexpected !== undefined) {
    throw new AgentError(
      "bad_request",
      `unexpected argument "${unexpected}"; settings are given as --name=value`,
    );
  }
  return flags;
}

/** A row of the settings' table, as --help and the README print it. */
export interface SettingRow {
  readonly flag: string;
  readonly environment: string;
  readonly fallback: string;
  readonly meaning: string;
}

export function settingRows(around: Surroundings): readonly SettingRow[] {
  return Object.values<Setting<unknown>>(settings).map((one) => ({
    flag: one.value === "" ? `--${one.flag}` : `--${one.flag}=${one.value}`,
    environment: environmentName(one.flag),
    fallback: typeof one.fallback === "string" ? one.fallback : one.fallback(around),
    meaning: one.meaning,
  }));
}
