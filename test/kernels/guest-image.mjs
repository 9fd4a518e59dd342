// The guest's files: this machine's own programs and this checkout, in one archive that the kernel unpacks into memory.
// No disk means no module, no mount on this machine, and no read that is emulated.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, realpathSync } from "node:fs";
import path from "node:path";
import { createArchive } from "./newc-archive.mjs";

/** What the tests start, besides node. */
const programs = ["bash", "cat", "sh", "sleep", "true"];
const checkout = ["agent", "dist", "test", "jest.config.js", "package.json", "node_modules"];
/** Of node_modules, what checks and builds but is not loaded by a test: two thirds of its bytes. */
const unneeded =
  /^pidward\/node_modules\/(\.bin|@biomejs|@typescript|typescript|@types|knip|@?oxc-.*|caniuse-lite)$/;

/**
 * @param root the checkout
 * @param file where the archive is written to
 * @param variables environment of the guest's first process
 */
export function makeGuestImage(root, file, variables) {
  const archive = createArchive(file);
  for (const folder of ["dev", "proc", "sys", "tmp", "root"]) archive.addFolder(folder);
  archive.addText("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  archive.addFile("init", path.join(root, "test/kernels/guest/init.sh"));
  archive.addFile("bin/busybox", "/bin/busybox");
  const libraries = new Set();
  const addProgram = (name, source) => {
    archive.addFile(`usr/bin/${name}`, source);
    for (const library of librariesOf(source)) libraries.add(library);
  };
  addProgram("node", process.execPath);
  for (const name of programs) addProgram(name, `/bin/${name}`);
  const parts = { python: addPython(archive, addProgram, libraries) };
  for (const addon of addonsOf(root)) for (const library of librariesOf(addon)) libraries.add(library);
  for (const library of libraries) archive.addFile(library.slice(1), library);
  for (const name of checkout) addPart(archive, root, name);
  archive.addText("etc/guest.env", toShell({ ...variables, PIDWARD_TEST_PARTS: JSON.stringify(parts) }));
  archive.close();
}

function addPart(archive, root, name) {
  const source = path.join(root, name);
  if (!existsSync(source)) throw new Error(`${name} is not there: run "npm ci" and "npm run build" first`);
  const target = path.join("pidward", name);
  if (path.extname(name) !== "") archive.addFile(target, source);
  else archive.addTree(target, source, unneeded);
}

/** Tests of threads that end before others need it; it is taken along where this machine has it. */
function addPython(archive, addProgram, libraries) {
  const python = "/usr/bin/python3";
  if (!existsSync(python)) return "python3 is not on the machine that the guest was made from";
  addProgram("python3", python);
  const folder = `usr/lib/${path.basename(realpathSync(python))}`;
  archive.addTree(folder, `/${folder}`, /\/(__pycache__|test|idlelib|lib2to3|tkinter|ensurepip|config-.*)$/);
  const { stdout } = spawnSync(python, ["-c", "import _ctypes; print(_ctypes.__file__)"], {
    encoding: "utf8",
  });
  for (const library of librariesOf(stdout.trim())) libraries.add(library);
  return null;
}

function addonsOf(root) {
  const modules = path.join(root, "node_modules");
  const files = readdirSync(modules, { recursive: true }).filter((file) => file.endsWith(".node"));
  return files.map((file) => path.join(modules, file));
}

function toShell(variables) {
  const quote = (value) => `'${String(value).replaceAll("'", "'\\''")}'`;
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}=${quote(value)}\n`)
    .join("");
}

/** Its shared libraries and their loader. */
function librariesOf(program) {
  const { stdout } = spawnSync("ldd", [program], { encoding: "utf8" });
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, library]) => library);
}
