// The real parts that the integration tests need, from Debian's packages. For each part: null when it is there, else why not.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, renameSync, rmSync, writeFileSync } from "node:fs";

/** Part → its package, and how to see that it is there. */
const parts = {
  docker: { package: "docker.io", isThere: () => existsSync("/usr/sbin/dockerd") },
  promtool: { package: "prometheus", isThere: () => existsSync("/usr/bin/promtool") },
  busybox: {
    package: "busybox-static",
    isThere: () => run("dpkg-query", ["-W", "busybox-static"]).status === 0,
  },
  // Threads that end before others, and ten thousand forks at once, need a language that can do it.
  python: { package: "python3", isThere: () => existsSync("/usr/bin/python3") },
  // The managers that images for containers are made of. On the machine itself they are not started.
  supervisor: { package: "supervisor", isThere: () => existsSync("/usr/bin/supervisord") },
  s6: { package: "s6", isThere: () => existsSync("/usr/bin/s6-svscan") },
  runit: { package: "runit", isThere: () => existsSync("/usr/bin/runsvdir") },
  tini: { package: "tini", isThere: () => existsSync("/usr/bin/tini") },
  systemd: { package: "systemd", isThere: () => existsSync("/lib/systemd/systemd") },
  // Compared with, side by side.
  nodeExporter: {
    package: "prometheus-node-exporter",
    isThere: () => existsSync("/usr/bin/prometheus-node-exporter"),
  },
  // The original of namedprocess_*, to compare with.
  "process-exporter": {
    package: "prometheus-process-exporter",
    isThere: () => existsSync("/usr/bin/prometheus-process-exporter"),
  },
  // Makes the certificates that TLS is tried with.
  openssl: { package: "openssl", isThere: () => existsSync("/usr/bin/openssl") },
  // Builds what `kubectl apply -k` would send; no cluster is asked.
  kubectl: { package: "kubernetes-client", isThere: () => existsSync("/usr/bin/kubectl") },
  "docker-compose": { package: "docker-compose", isThere: () => existsSync("/usr/bin/docker-compose") },
};

const policy = "/usr/sbin/policy-rc.d";

export function installParts() {
  const missing = Object.values(parts).filter((part) => !part.isThere());
  const failure = missing.length === 0 ? null : install(missing.map((part) => part.package));
  return Object.fromEntries(
    Object.entries(parts).map(([name, part]) => {
      if (!part.isThere())
        return [name, `${part.package} is not installed: ${failure ?? "its program is not there"}`];
      return [
        name,
        name === "docker" && process.geteuid() !== 0 ? "an engine of the tests' own needs root" : null,
      ];
    }),
  );
}

export function install(packages) {
  if (process.geteuid() !== 0) return "installing it needs root";
  if (!existsSync("/usr/bin/apt-get")) return "there is no apt-get: this is no Debian";
  process.stderr.write(`test: installing ${packages.join(", ")}\n`);
  // Packages must not start their services: the tests start an engine of their own.
  const kept = `${policy}.kept-by-pidward`;
  if (existsSync(policy)) renameSync(policy, kept);
  writeFileSync(policy, "#!/bin/sh\nexit 101\n");
  chmodSync(policy, 0o755);
  try {
    const options = ["-o", "DPkg::Lock::Timeout=120", "-q", "-y"];
    for (const args of [["update"], ["install", "--no-install-recommends", ...packages]]) {
      const { status, stderr, error } = run("apt-get", [...options, ...args]);
      if (status !== 0)
        return `apt-get ${args[0]} failed: ${(error?.message ?? stderr).trim().split("\n").at(-1)}`;
    }
    return null;
  } finally {
    rmSync(policy, { force: true });
    if (existsSync(kept)) renameSync(kept, policy);
  }
}

function run(command, args) {
  return spawnSync(command, args, {
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
    timeout: 240_000,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
}
