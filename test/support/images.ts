import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  createReadStream,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import type Docker from "dockerode";

/** busybox and its applets, a user `app` who is also in the group `extra`. */
export const fatImage = "pidward-test/fat:latest";
/** One static program, `/sleep`, and nothing else: no shell, no /etc. */
export const staticImage = "pidward-test/static:latest";

const busybox = "/bin/busybox";

/** Makes the images from the machine's own files; no registry is asked. */
export async function makeImages(docker: Docker): Promise<void> {
  await importFolder(docker, fatImage, (root) => {
    for (const folder of ["bin", "etc", "tmp", "srv", "proc", "sys", "dev"])
      mkdirSync(path.join(root, folder));
    copyFileSync(busybox, path.join(root, "bin/busybox"));
    const applets = spawnSync(busybox, ["--list"], { encoding: "utf8" }).stdout.trim().split("\n");
    for (const applet of applets) {
      if (applet !== "busybox") symlinkSync("busybox", path.join(root, "bin", applet));
    }
    writeFileSync(
      path.join(root, "etc/passwd"),
      "root:x:0:0:root:/:/bin/sh\napp:x:1000:1000:app:/srv:/bin/sh\n",
    );
    writeFileSync(path.join(root, "etc/group"), "root:x:0:\napp:x:1000:\nextra:x:2000:app\n");
    writeFileSync(path.join(root, "srv/index.html"), "hello\n");
  });
  await importFolder(docker, staticImage, (root) => copyFileSync(busybox, path.join(root, "sleep")));
}

async function importFolder(docker: Docker, tag: string, fill: (root: string) => void): Promise<void> {
  const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-image-"));
  try {
    const root = path.join(scratch, "root");
    mkdirSync(root);
    fill(root);
    const archive = path.join(scratch, "image.tar");
    const packed = spawnSync("tar", ["-C", root, "--owner=0", "--group=0", "-cf", archive, "."], {
      encoding: "utf8",
    });
    if (packed.status !== 0) throw new Error(`tar failed: ${packed.stderr}`);
    const [repo, version] = tag.split(":");
    const answer = await docker.importImage(createReadStream(archive), { repo, tag: version });
    for await (const chunk of answer) {
      const text = String(chunk);
      if (text.includes('"error"')) throw new Error(`import of ${tag} failed: ${text}`);
    }
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
