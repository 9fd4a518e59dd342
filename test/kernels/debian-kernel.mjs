// Debian's kernel for virtual machines, fetched and unpacked without being installed. Kept for the next run.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";

/** Depends on the package of its newest version, which has the version in its name. */
const metaPackage = "linux-image-cloud-amd64";

/**
 * @returns the kernel's version and its bootable image
 * @throws Error when the package cannot be had
 */
export function fetchKernel() {
  const known = findKernel();
  if (known !== undefined && existsSync(known.image)) return known;
  // The lists can be missing, or name a version that the archive has replaced since.
  run("apt-get", ["-q", "update"]);
  const kernel = findKernel();
  if (kernel === undefined) throw new Error(`apt-cache knows no ${metaPackage}`);
  if (!existsSync(kernel.image)) unpack(kernel);
  return kernel;
}

function findKernel() {
  const env = { ...process.env, LC_ALL: "C" };
  const { stdout } = spawnSync("apt-cache", ["depends", metaPackage], { encoding: "utf8", env });
  const name = /Depends: (linux-image-\S+)/.exec(stdout ?? "")?.[1];
  if (name === undefined) return undefined;
  const version = name.slice("linux-image-".length);
  const folder = path.join(os.tmpdir(), `pidward-kernel-${version}`);
  return { name, version, folder, image: path.join(folder, `boot/vmlinuz-${version}`) };
}

/** In a folder of its own first: what was broken off is never taken for a kernel. */
function unpack({ name, folder }) {
  process.stderr.write(`kernel: fetching ${name}\n`);
  const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-kernel-"));
  try {
    // apt's own user may not write to the folder, and says so: harmless.
    run("apt-get", ["-q", "download", name], scratch);
    const [file] = readdirSync(scratch);
    run("dpkg-deb", ["-x", file, "unpacked"], scratch);
    // Nothing that the guest needs is a module.
    rmSync(path.join(scratch, "unpacked/lib"), { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
    renameSync(path.join(scratch, "unpacked"), folder);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function run(command, args, cwd) {
  const options = { cwd, encoding: "utf8", stdio: ["ignore", "ignore", "pipe"], timeout: 300_000 };
  const { status, stderr, error } = spawnSync(command, args, options);
  if (status !== 0)
    throw new Error(`${command} ${args.join(" ")} failed: ${(error?.message ?? stderr).trim()}`);
}
