import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import type Docker from "dockerode";

/** supervisord with its Python, s6, runit, tini, busybox's applets; `/var/run` is a link to `/run`. */
export const managersImage = "pidward-test/managers:latest";
/** systemd and busybox's applets. */
export const systemdImage = "pidward-test/systemd:latest";

/** What a supervisord.conf begins with: a socket to be asked over, in the foreground, nothing written. */
export const supervisordHead = `[unix_http_server]
file=/run/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
pidfile=/run/supervisord.pid
`;

const packages = ["supervisor", "python3.11-minimal", "s6", "runit", "tini", "busybox-static"];

const programs = [
  "/usr/bin/python3.11",
  "/usr/bin/tini",
  ...["s6-svscan", "s6-supervise", "s6-svc", "s6-svstat", "s6-svscanctl"].map((name) => `/usr/bin/${name}`),
  ...["runsvdir", "runsv", "sv", "chpst"].map((name) => `/usr/bin/${name}`),
];

/** Makes the image of the managers from the machine's own files, unless the engine has it. */
export async function makeManagersImage(docker: Docker): Promise<void> {
  await importCached(docker, managersImage, __filename, packages, (root) => {
    makeBase(root);
    copyPrograms(root, programs);
    copyPython(root);
    for (const name of ["supervisord", "supervisorctl", "pidproxy"])
      copyFileSync(`/usr/bin/${name}`, path.join(root, "usr/bin", name));
  });
}

/** Units that those of the tests refer to, without what hangs on them elsewhere. */
const systemdUnits = [
  "basic.target",
  "sysinit.target",
  "multi-user.target",
  "shutdown.target",
  "sockets.target",
];

/** Makes an image whose init is systemd, with nothing but what it is given in /etc/systemd/system. */
export async function makeSystemdImage(docker: Docker): Promise<void> {
  await importCached(docker, systemdImage, __filename, ["systemd", "busybox-static"], (root) => {
    makeBase(root);
    copySystemd(root);
  });
}

/** With no units of its own but the targets, /etc/systemd/system is empty. */
export function copySystemd(root: string): void {
  copyPrograms(root, ["/lib/systemd/systemd", "/bin/systemctl"]);
  run("cp", ["--parents", ...systemdUnits.map((name) => `/lib/systemd/system/${name}`), root]);
  mkdirSync(path.join(root, "etc/systemd/system"), { recursive: true });
  symlinkSync("/lib/systemd/systemd", path.join(root, "sbin/systemd"));
}

/** What systemd needs as a container's init on cgroup v1: it makes cgroups in the named hierarchy below its container's. */
export const systemdHost = {
  CapAdd: ["SYS_ADMIN"],
  SecurityOpt: ["seccomp=unconfined"],
  Tmpfs: { "/run": "", "/run/lock": "", "/tmp": "" },
  Binds: ["/sys/fs/cgroup:/sys/fs/cgroup:ro", "/sys/fs/cgroup/systemd:/sys/fs/cgroup/systemd:rw"],
};

/** The folders of a system, with busybox's applets. */
export function makeBase(root: string): void {
  for (const folder of [
    "bin",
    "sbin",
    "etc",
    "tmp",
    "srv",
    "proc",
    "sys",
    "dev",
    "run",
    "var",
    "root",
    "usr/bin",
    "usr/lib",
  ])
    mkdirSync(path.join(root, folder), { recursive: true });
  symlinkSync("/run", path.join(root, "var/run"));
  copyFileSync("/bin/busybox", path.join(root, "bin/busybox"));
  const applets = spawnSync("/bin/busybox", ["--list"], { encoding: "utf8" }).stdout.trim().split("\n");
  for (const applet of applets) {
    // runit's own are meant.
    if (!["busybox", "runsv", "runsvdir", "sv", "chpst"].includes(applet))
      symlinkSync("busybox", path.join(root, "bin", applet));
  }
  writeFileSync(path.join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  writeFileSync(path.join(root, "etc/group"), "root:x:0:\n");
}

/** With the libraries that the loader would take. */
export function copyPrograms(root: string, files: readonly string[]): void {
  const told = run("ldd", files);
  const libraries = [...told.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map((match) => match[1] ?? "");
  run("cp", ["-L", "--parents", ...new Set([...files, ...libraries]), root]);
}

function copyPython(root: string): void {
  const library = "/usr/lib/python3.11";
  const leftOut = new Set([
    "test",
    "__pycache__",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "tkinter",
    "turtledemo",
  ]);
  cpSync(library, path.join(root, library), {
    recursive: true,
    dereference: true,
    filter: (source) => !leftOut.has(path.basename(source)) && existsSync(source),
  });
  const extensions = readdirSync(`${library}/lib-dynload`).map((name) => `${library}/lib-dynload/${name}`);
  copyPrograms(root, extensions);
  const packagesFolder = "/usr/lib/python3/dist-packages";
  for (const name of readdirSync(packagesFolder)) {
    if (/^(supervisor|pkg_resources)/.test(name))
      cpSync(`${packagesFolder}/${name}`, path.join(root, packagesFolder, name), { recursive: true });
  }
  symlinkSync("python3.11", path.join(root, "usr/bin/python3"));
}

/**
 * The archive is kept for the next run, under a name that changes with the packages.
 * @param maker the file that says how it is filled
 */
export async function importCached(
  docker: Docker,
  tag: string,
  maker: string,
  from: readonly string[],
  fill: (root: string) => void,
): Promise<void> {
  const images = await docker.listImages();
  if (images.some((image) => image.RepoTags?.includes(tag))) return;
  const versions = run("dpkg-query", ["-W", ...from]);
  const how = [...new Set([__filename, maker])].map((file) => readFileSync(file, "utf8")).join("");
  const key = createHash("sha256").update(`${tag}\n${versions}\n${how}`).digest("hex").slice(0, 16);
  const archive = path.join(os.tmpdir(), `pidward-test-image-${key}.tar`);
  if (!existsSync(archive)) pack(archive, fill);
  const [repo, version] = tag.split(":");
  const answer = await docker.importImage(createReadStream(archive), { repo, tag: version });
  for await (const chunk of answer) {
    const text = String(chunk);
    if (text.includes('"error"')) throw new Error(`import of ${tag} failed: ${text}`);
  }
}

function pack(archive: string, fill: (root: string) => void): void {
  const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-image-"));
  try {
    const root = path.join(scratch, "root");
    mkdirSync(root);
    fill(root);
    const packed = path.join(scratch, "image.tar");
    run("tar", ["-C", root, "--owner=0", "--group=0", "-cf", packed, "."]);
    renameSync(packed, archive);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  if (status !== 0) throw new Error(`${program} failed: ${error?.message ?? stderr}`);
  return stdout;
}
