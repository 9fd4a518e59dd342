import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect } from "@jest/globals";
import { DebianHost } from "../support/debian-host.ts";
import { hasParts } from "../support/parts.ts";
import { calls, probe } from "../support/sandbox-probe.ts";
import { testWith } from "../support/test-with.ts";
import { waitFor } from "../support/wait-for.ts";

const needs = ["docker", "busybox", "systemd"] as const;
const repository = path.join(__dirname, "../..");
const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-package-"));
const packages = path.join(scratch, "packages");
const limitMs = 240_000;
/** With systemd as its init; the tests follow one another on it, as an operator's acts do. */
const host = new DebianHost();
let file = "";

beforeAll(async () => {
  if (!hasParts(...needs)) return;
  mkdirSync(packages);
  file = buildPackage(packages);
  writeFileSync(path.join(packages, "probe.sh"), probe, { mode: 0o755 });
  writeFileSync(path.join(packages, "calls.js"), calls);
  makeNext(path.join(packages, file), path.join(packages, "next.deb"));
  await host.start(packages, "systemd");
}, limitMs);
afterAll(async () => {
  await host.remove();
  rmSync(scratch, { recursive: true });
}, 60_000);

/** @returns the package's file name */
function buildPackage(folder: string): string {
  runHere("deploy/build-deb", ["--output", folder]);
  return readdirSync(folder).find((name) => name.endsWith(".deb")) ?? "";
}

/** The same as a later version, whose settings have come to differ too. */
function makeNext(from: string, to: string): void {
  const tree = path.join(scratch, "next");
  runHere("dpkg-deb", ["--raw-extract", from, tree]);
  for (const [name, wanted, instead] of [
    ["DEBIAN/control", /^Version: .*$/m, "Version: 999"],
    ["etc/default/pidward", /^/, "# Of version 999.\n"],
  ] as const) {
    const text = readFileSync(path.join(tree, name), "utf8");
    writeFileSync(path.join(tree, name), text.replace(wanted, instead));
  }
  runHere("dpkg-deb", ["--root-owner-group", "--build", tree, to]);
}

function runHere(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: repository,
    encoding: "utf8",
    env: { ...process.env, DPKG_DEB_COMPRESSOR_TYPE: "none", SOURCE_DATE_EPOCH: "1700000000" },
  });
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${error?.message ?? stderr}`);
  return stdout;
}

const activeState = (): Promise<string> => host.show("ActiveState");

/** The agent's PID there, once systemd calls the service active and it is another than the one before. */
async function newAgent(before = "0"): Promise<string> {
  return waitFor(
    "the agent",
    async () => {
      const pid = await host.show("MainPID");
      return (await activeState()) === "active" && pid !== "0" && pid !== before ? pid : undefined;
    },
    60_000,
  );
}

testWith(
  needs,
  "the package asks for the C and C++ libraries alone, and is the same each time",
  async () => {
    const depends = runHere("dpkg-deb", ["-f", path.join(packages, file), "Depends"]).trim();
    expect(depends).toMatch(/^libc6 \(>= [\d.]+\), libgcc-s1 \(>= [\d.]+\), libstdc\+\+6 \(>= [\d.]+\)$/);
    const again = path.join(scratch, "again");
    mkdirSync(again, { mode: 0o700 });
    const name = spawnMasked(again);
    expect(readFileSync(path.join(again, name)).equals(readFileSync(path.join(packages, file)))).toBe(true);
  },
  limitMs,
);

/** Built by somebody with other habits. */
function spawnMasked(folder: string): string {
  const mask = process.umask(0o077);
  try {
    return buildPackage(folder);
  } finally {
    process.umask(mask);
  }
}

testWith(needs, "what the scripts in deploy cannot do they say, with its name", async () => {
  const complaint = (script: string, ...args: readonly string[]): string => {
    const env = { ...process.env, DOCKER_HOST: "unix:///nowhere.sock" };
    const { status, stderr } = spawnSync(script, args, { cwd: repository, encoding: "utf8", env });
    return `${status}: ${stderr.trim().split("\n").at(-1)}`;
  };
  expect(complaint("deploy/build-image")).toBe(
    "1: build-image: no Docker Engine answers at unix:///nowhere.sock; another one is named by DOCKER_HOST",
  );
  expect(complaint("deploy/build-deb", "--output", "/nowhere")).toBe(
    "1: build-deb: there is no folder /nowhere",
  );
  expect(complaint("deploy/build-deb", "--tag")).toBe(
    '1: build-deb: unknown argument "--tag"; there is --output FOLDER',
  );
});

testWith(
  needs,
  "dpkg installs it, systemd starts it and is told that it is ready, and it answers",
  async () => {
    await host.must("dpkg", "--install", `/packages/${file}`);
    await newAgent();
    expect(await host.show("StatusText")).toMatch(/^listening on 127\.0\.0\.1:10776 and unix:/);
    expect(await host.show("UnitFileState")).toBe("enabled");
    await host.must("pidward", "health");
    const { processes } = JSON.parse(await host.must("pidward", "ps", "--json"));
    const names = processes.map(({ name }: { name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(["systemd", "pidward"]));
    expect(await host.shell("stat -c '%a' /run/pidward/pidward.sock /var/lib/pidward")).toBe("660\n700\n");
  },
);

testWith(needs, "the agent has the rights of its unit and no others", async () => {
  const pid = await newAgent();
  const status = await host.must("cat", `/proc/${pid}/status`);
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)?.[1] ?? "";
  // SYS_PTRACE, DAC_READ_SEARCH, KILL, SYS_ADMIN; BPF and PERFMON where the container has them.
  const granted = (1n << 19n) | (1n << 2n) | (1n << 5n) | (1n << 21n);
  const possible = granted | (1n << 39n) | (1n << 38n);
  for (const set of ["CapEff", "CapPrm", "CapBnd"]) {
    const has = BigInt(`0x${field(set)}`);
    expect([set, has & granted, has & ~possible]).toEqual([set, granted, 0n]);
  }
  expect([field("NoNewPrivs"), field("Seccomp"), field("CapAmb")]).toEqual(["1", "2", "0".repeat(16)]);
});

const mayInUnit = [
  "may write its audit",
  "may write its socket's folder",
  "may signal others",
  "may use BPF",
  "may read the clock's state",
  "may call a manager in another network",
  "may watch the kernel's messages",
  "may open a file inside a root",
  "may name a process for good",
];

/** Runs the probe in a unit as the agent's, with a drop-in of those that the package brings. @returns what it said */
async function probeInUnit(dropIn?: string): Promise<string> {
  const folder = "/etc/systemd/system/probe.service.d";
  await host.shell(
    "sed -e '/Directory=\\|^NoExec/s/pidward/probe/g; s,^ExecStart=.*,ExecStart=/bin/sh /packages/probe.sh,' " +
      "-e 's/^Type=.*/Type=oneshot/; /^Restart/d; /^WatchdogSec/d; s,^UMask=.*,&\\nStandardOutput=truncate:/probe.out,' " +
      `/lib/systemd/system/pidward.service >/etc/systemd/system/probe.service; rm -rf ${folder} /var/lib/probe /run/probe`,
  );
  if (dropIn !== undefined)
    await host.shell(`mkdir ${folder} && cp /usr/share/doc/pidward/examples/${dropIn} ${folder}`);
  await host.must("systemctl", "daemon-reload");
  await host.must("systemctl", "start", "probe");
  return host.must("cat", "/probe.out");
}

testWith(needs, "what runs in the unit's sandbox writes nowhere else and comes by nothing more", async () => {
  // Beside the unit all this can be done in the container, but for what its engine forbids.
  const beside = await host.shell(
    "mkdir -p /var/lib/probe /run/probe && sh /packages/probe.sh; umount /var/lib/probe/mount",
  );
  expect(beside.match(/^may not .*/gm)).toEqual([
    "may not write /sys/fs/cgroup",
    "may not write /proc/sys/kernel",
    "may not set a kernel parameter",
    "may not execute what it has written to /dev/shm",
  ]);
  const within = await probeInUnit();
  expect(within.match(/^may (?!not).*/gm)).toEqual(mayInUnit);
  expect(within.split("\n")).toHaveLength(beside.split("\n").length);
});

testWith(
  needs,
  "with the drop-in for namespaces it enters all of them, and the host's files are as safe",
  async () => {
    const more = (await probeInUnit("namespaces.conf"))
      .match(/^may (?!not).*/gm)
      ?.filter((line) => !mayInUnit.includes(line));
    expect(more).toEqual([
      "may mount",
      "may leave its root",
      "may have a user namespace",
      "may have a PID namespace",
      "may choose its CPUs",
      "may gain privileges",
      "may copy a mount",
    ]);
  },
);

testWith(needs, "an agent that stands still is ended and started again by systemd's watchdog", async () => {
  await host.dropIn("watchdog", ["WatchdogSec=10"]);
  await host.must("systemctl", "restart", "pidward");
  const pid = await newAgent();
  await host.must("kill", "-STOP", pid);
  await newAgent(pid);
  expect(await host.show("NRestarts")).toBe("1");
  await host.must("pidward", "health");
  await host.dropIn("watchdog", ["WatchdogSec=60"]);
});

testWith(
  needs,
  "settings in /etc/default/pidward take effect, and a wrong one ends it once and for all",
  async () => {
    await host.shell("echo PIDWARD_WEB_LISTEN_ADDRESS=nowhere >>/etc/default/pidward");
    expect((await host.run("systemctl", "restart", "pidward")).code).not.toBe(0);
    expect([await activeState(), await host.show("ExecMainStatus"), await host.show("NRestarts")]).toEqual([
      "failed",
      "2",
      "0",
    ]);
    await host.shell("sed -i s/=nowhere/=127.0.0.1:10999/ /etc/default/pidward");
    await host.must("systemctl", "restart", "pidward");
    expect(await host.show("StatusText")).toMatch(/^listening on 127\.0\.0\.1:10999 /);
  },
);

testWith(needs, "an upgrade restarts it and keeps the settings", async () => {
  const before = await newAgent();
  await host.must("dpkg", "--force-confold", "--install", "/packages/next.deb");
  await newAgent(before);
  expect(await host.show("StatusText")).toMatch(/^listening on 127\.0\.0\.1:10999 /);
  expect(await host.must("cat", "/etc/default/pidward")).not.toContain("Of version 999.");
});

testWith(needs, "an upgrade leaves it disabled when the operator has disabled it", async () => {
  await host.must("systemctl", "disable", "pidward");
  await host.must("dpkg", "--force-confold", "--install", "/packages/next.deb");
  expect(await host.show("UnitFileState")).toBe("disabled");
  await host.must("systemctl", "enable", "pidward");
});

testWith(needs, "without root's rights over files it runs as a user of its own", async () => {
  const lines = readFileSync(path.join(repository, "deploy/systemd/unprivileged.conf"), "utf8").split("\n");
  // There is no engine in the container.
  await host.dropIn(
    "unprivileged",
    lines.filter((line) => !/^\[|^SupplementaryGroups=/.test(line)),
  );
  await host.must("systemctl", "restart", "pidward");
  const status = await host.must("cat", `/proc/${await newAgent()}/status`);
  expect(status).not.toMatch(/^Uid:\s+0\b/m);
  expect(status).toMatch(/^CapEff:\s+000000[0-9a-f]{2}00080024$/m);
  await host.must("pidward", "health");
  await host.must("rm", "/etc/systemd/system/pidward.service.d/unprivileged.conf");
  await host.must("systemctl", "daemon-reload");
  await host.must("systemctl", "restart", "pidward");
  await host.must("pidward", "health");
});

testWith(needs, "its removal stops it and leaves settings and audit, its purge leaves nothing", async () => {
  const left = async (): Promise<readonly string[]> => {
    const found = await host.must("find", "/", "-xdev", "-path", "*pidward*", "-not", "-path", "*/dpkg/*");
    return found.split("\n").filter((name) => name !== "" && !name.includes("pidward.service.d"));
  };
  const pid = await newAgent();
  await host.must("touch", "/var/lib/pidward/audit.jsonl");
  await host.must("dpkg", "--remove", "pidward");
  expect((await host.run("test", "-e", `/proc/${pid}`)).code).not.toBe(0);
  const kept = await left();
  expect(kept).toEqual(expect.arrayContaining(["/etc/default/pidward", "/var/lib/pidward/audit.jsonl"]));
  expect(kept.filter((name) => !/^\/(etc|var\/lib)\//.test(name))).toEqual([]);
  await host.must("dpkg", "--purge", "pidward");
  expect(await left()).toEqual([]);
  expect((await host.run("dpkg-query", "-W", "pidward")).code).not.toBe(0);
});

testWith(
  needs,
  "where no systemd runs it is installed and purged all the same",
  async () => {
    const bare = new DebianHost();
    try {
      await bare.start(packages, "sleep");
      await bare.must("dpkg", "--install", `/packages/${file}`);
      const wish = "/etc/systemd/system/multi-user.target.wants/pidward.service";
      await bare.must("test", "-L", wish);
      expect((await bare.run("pidward", "health")).code).toBe(7);
      await bare.must("dpkg", "--purge", "pidward");
      expect((await bare.run("test", "-L", wish)).code).not.toBe(0);
    } finally {
      await bare.remove();
    }
  },
  limitMs,
);
