import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { CliResult } from "./agent.ts";
import { type TestContainer, TestContainers } from "./containers.ts";
import { copyPrograms, copySystemd, importCached, makeBase, systemdHost } from "./manager-images.ts";
import { runIn } from "./run-in.ts";
import { waitFor } from "./wait-for.ts";

/** A small Debian: systemd, dpkg, what maintainer scripts call, and the libraries that the agent's package may ask for. */
const debianImage = "pidward-test/debian:latest";
/** dpkg there knows these to be installed, and no other. */
const libraries = ["libc6", "libgcc-s1", "libstdc++6"];
const tools = ["dpkg", "tar", "perl-base", "dash", "init-system-helpers"];
const paths = "PATH=/usr/sbin:/usr/bin";

/** A container that stands for a host on which packages are installed, with or without systemd as its init. */
export class DebianHost {
  private readonly containers = new TestContainers();
  private container: TestContainer | undefined;

  /** @param packages a folder of the machine, to be found at /packages */
  async start(packages: string, init: "systemd" | "sleep"): Promise<void> {
    await importCached(
      this.containers.docker,
      debianImage,
      __filename,
      [...libraries, ...tools, "systemd", "busybox-static"],
      fill,
    );
    const binds = [`${packages}:/packages:ro`];
    this.container = await this.containers.run({
      image: debianImage,
      env: [paths, "container=docker", "DEBIAN_FRONTEND=noninteractive"],
      ...(init === "sleep"
        ? { argv: ["sleep", "100001"], host: { Binds: binds } }
        : {
            argv: ["/sbin/systemd"],
            host: {
              ...systemdHost,
              // What of the unit's capabilities an engine of any age can give: before 23 it knows no BPF and no PERFMON.
              CapAdd: ["SYS_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH"],
              Binds: [...systemdHost.Binds, ...binds],
              // As they are on a host.
              Tmpfs: { ...systemdHost.Tmpfs, "/run": "exec", "/tmp": "exec" },
            },
          }),
    });
    if (init === "systemd")
      await waitFor(
        "systemd",
        async () => (await this.run("systemctl", "is-active", "basic.target")).code === 0,
      );
  }

  run(...argv: readonly string[]): Promise<CliResult> {
    return runIn(this.containers.docker, this.container?.id ?? "", argv);
  }

  /** @throws Error with what the command said when it fails */
  async must(...argv: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...argv);
    if (code !== 0) throw new Error(`${argv.join(" ")} ended with ${code}: ${stderr}${stdout}`);
    return stdout;
  }

  async shell(script: string): Promise<string> {
    return this.must("sh", "-c", script);
  }

  /** A property of the agent's unit (systemctl show). */
  async show(property: string): Promise<string> {
    return (await this.must("systemctl", "show", "pidward", `--property=${property}`, "--value")).trim();
  }

  /** Puts a drop-in in place; it takes effect with the next start. */
  async dropIn(name: string, lines: readonly string[]): Promise<void> {
    const folder = "/etc/systemd/system/pidward.service.d";
    const text = ["[Service]", ...lines].join("\n");
    await this.must("sh", "-c", `mkdir -p ${folder} && echo "$1" >${folder}/${name}.conf`, "sh", text);
    await this.must("systemctl", "daemon-reload");
  }

  remove(): Promise<void> {
    return this.containers.removeAll();
  }
}

function fill(root: string): void {
  for (const folder of ["bin", "sbin", "lib", "lib64"]) {
    mkdirSync(path.join(root, "usr", folder), { recursive: true });
    symlinkSync(`usr/${folder}`, path.join(root, folder));
  }
  makeBase(root);
  copySystemd(root);
  for (const folder of [
    "home",
    "opt",
    "boot",
    "var/tmp",
    "var/log",
    "var/lib/dpkg/info",
    "var/lib/dpkg/updates",
  ])
    mkdirSync(path.join(root, folder), { recursive: true });
  // Without it systemd takes this for the first start of all, and enables by its presets.
  writeFileSync(path.join(root, "etc/machine-id"), "0123456789abcdef0123456789abcdef\n");
  symlinkSync("/lib/systemd/system/multi-user.target", path.join(root, "etc/systemd/system/default.target"));
  const programs = ["dpkg", "dpkg-deb", "dpkg-query", "dpkg-split", "perl", "tar", "dash"];
  // busybox has some by the same names, and its shell would take its own.
  for (const name of [...programs, "sh"]) rmSync(path.join(root, "usr/bin", name), { force: true });
  symlinkSync("dash", path.join(root, "usr/bin/sh"));
  copyPrograms(
    root,
    programs.map((name) => `/usr/bin/${name}`),
  );
  copyFiles(root, [
    "/usr/bin/deb-systemd-helper",
    "/usr/bin/deb-systemd-invoke",
    "/sbin/ldconfig",
    ...listFiles(libraries, /\/lib\/.*\.so[.\d]*$/),
    ...listFiles(["perl-base"], /\/perl-base\//),
  ]);
  const status = libraries.map((name) => answerOf("dpkg-query", ["-s", name]));
  writeFileSync(path.join(root, "var/lib/dpkg/status"), status.join("\n"));
}

function copyFiles(root: string, files: readonly string[]): void {
  for (const file of files) cpSync(file, path.join(root, file), { recursive: true, dereference: true });
}

function listFiles(packages: readonly string[], which: RegExp): readonly string[] {
  return answerOf("dpkg-query", ["-L", ...packages])
    .split("\n")
    .filter((file) => which.test(file));
}

function answerOf(program: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed: ${stderr}`);
  return stdout;
}
