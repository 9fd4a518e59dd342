import { readdirSync, readFileSync } from "node:fs";
import { systemCode } from "../../errors.ts";

/** What the machine is made of. NaN: the kernel does not tell. */
export interface MachineFacts {
  /** Logical CPUs that are on. */
  readonly cores: number;
  readonly physicalCores: number;
  readonly sockets: number;
  /** Of s390; 0 elsewhere. */
  readonly books: number;
  readonly drawers: number;
  readonly memoryBytes: number;
  readonly swapBytes: number;
  /** By the type that EDAC names: `Unbuffered-DDR4`. Empty where no driver tells. */
  readonly memoryModules: ReadonlyMap<string, { readonly count: number; readonly bytes: number }>;
  /** Empty texts for what cannot be read. */
  readonly machineId: string;
  readonly systemUuid: string;
  readonly bootId: string;
  readonly kernelRelease: string;
  /** `Debian GNU/Linux 12 (bookworm)` */
  readonly systemName: string;
}

export interface MachineRoots {
  readonly procRoot: string;
  readonly sysRoot: string;
  readonly rootfs: string;
}

export function readMachineFacts({ procRoot, sysRoot, rootfs }: MachineRoots): MachineFacts {
  const memory = readText(`${procRoot}/meminfo`);
  const bytes = (key: string): number =>
    Number(new RegExp(`^${key}: +(\\d+) kB$`, "m").exec(memory)?.[1] ?? Number.NaN) * 1024;
  return {
    ...readTopology(`${sysRoot}/devices/system/cpu`),
    memoryBytes: bytes("MemTotal"),
    swapBytes: bytes("SwapTotal"),
    memoryModules: readMemoryModules(`${sysRoot}/devices/system/edac/mc`),
    machineId: readLine(`${rootfs}/etc/machine-id`) || readLine(`${rootfs}/var/lib/dbus/machine-id`),
    systemUuid: readLine(`${sysRoot}/class/dmi/id/product_uuid`),
    bootId: readLine(`${procRoot}/sys/kernel/random/boot_id`),
    kernelRelease: readLine(`${procRoot}/sys/kernel/osrelease`),
    systemName: systemName(readText(`${rootfs}/etc/os-release`) || readText(`${rootfs}/usr/lib/os-release`)),
  };
}

/** Counts what is different in /sys/devices/system/cpu/cpuN/topology (Documentation/admin-guide/cputopology.rst). */
function readTopology(
  folder: string,
): Pick<MachineFacts, "cores" | "physicalCores" | "sockets" | "books" | "drawers"> {
  const cores = new Set<string>();
  const sockets = new Set<string>();
  const books = new Set<string>();
  const drawers = new Set<string>();
  let online = 0;
  for (const name of readNames(folder)) {
    if (!/^cpu\d+$/.test(name) || readLine(`${folder}/${name}/online`) === "0") continue;
    online++;
    const figure = (file: string): string => readLine(`${folder}/${name}/topology/${file}`);
    const socket = figure("physical_package_id");
    if (socket !== "") sockets.add(socket);
    if (figure("core_id") !== "") cores.add(`${socket}/${figure("die_id")}/${figure("core_id")}`);
    if (figure("book_id") !== "") books.add(figure("book_id"));
    if (figure("drawer_id") !== "") drawers.add(figure("drawer_id"));
  }
  return {
    cores: online || Number.NaN,
    physicalCores: cores.size || Number.NaN,
    sockets: sockets.size || Number.NaN,
    books: books.size,
    drawers: drawers.size,
  };
}

/** /sys/devices/system/edac/mc/mcM/dimmN: type and size in MiB (Documentation/ABI/testing/sysfs-devices-edac). */
function readMemoryModules(folder: string): MachineFacts["memoryModules"] {
  const modules = new Map<string, { count: number; bytes: number }>();
  for (const controller of readNames(folder)) {
    for (const name of readNames(`${folder}/${controller}`)) {
      if (!/^(dimm|rank)\d+$/.test(name)) continue;
      const type = readLine(`${folder}/${controller}/${name}/dimm_mem_type`);
      const size = Number(readLine(`${folder}/${controller}/${name}/size`));
      // An empty slot is listed too.
      if (type === "" || !(size > 0)) continue;
      const before = modules.get(type) ?? { count: 0, bytes: 0 };
      modules.set(type, { count: before.count + 1, bytes: before.bytes + size * 2 ** 20 });
    }
  }
  return modules;
}

/** os-release(5) */
function systemName(text: string): string {
  const quoted = /^PRETTY_NAME=(.*)$/m.exec(text)?.[1] ?? "";
  return quoted.replace(/^(["'])(.*)\1$/, "$2").slice(0, 200);
}

function readNames(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return [];
  }
}

function readLine(file: string): string {
  return readText(file).trim().slice(0, 200);
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return "";
  }
}
