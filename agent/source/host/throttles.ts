import { parseNumber } from "./fields.ts";
import type { HostFiles } from "./host-files.ts";

/** How often heat has slowed a core or a package (kernel documentation, sysfs-devices-system-cpu, thermal_throttle). */
export interface Throttles {
  readonly cores: readonly { readonly package: number; readonly core: number; readonly count: number }[];
  readonly packages: readonly { readonly package: number; readonly count: number }[];
}

/** The files that count: one for each core and each package, of the first CPU that has it. */
interface Places {
  readonly cores: readonly { readonly package: number; readonly core: number; readonly path: string }[];
  readonly packages: readonly { readonly package: number; readonly path: string }[];
}

/** Which CPU is where is looked for once: most machines have no such counter, and some have hundreds of CPUs. */
export function createThrottleReader(files: HostFiles): () => Throttles {
  let places: Places | undefined;
  const counted = <T extends { readonly path: string }>({ path, ...of }: T) => {
    const count = parseNumber(files.readAttribute(path) ?? "");
    return count === undefined ? [] : [{ ...of, count }];
  };
  return () => {
    places ??= findPlaces(files);
    return {
      cores: places.cores.flatMap(counted),
      packages: places.packages.flatMap(counted),
    };
  };
}

function findPlaces(files: HostFiles): Places {
  const folder = `${files.roots.sys}/devices/system/cpu`;
  const cores = new Map<string, Places["cores"][number]>();
  const packages = new Map<number, Places["packages"][number]>();
  for (const name of files.list(folder)) {
    if (!/^cpu\d+$/.test(name)) continue;
    const cpu = `${folder}/${name}`;
    const figure = (path: string): number | undefined =>
      parseNumber(files.readAttribute(`${cpu}/${path}`) ?? "");
    const [inPackage, core] = [figure("topology/physical_package_id"), figure("topology/core_id")];
    if (inPackage === undefined || core === undefined || inPackage < 0 || core < 0) continue;
    const key = `${inPackage} ${core}`;
    if (!cores.has(key) && figure("thermal_throttle/core_throttle_count") !== undefined)
      cores.set(key, { package: inPackage, core, path: `${cpu}/thermal_throttle/core_throttle_count` });
    if (!packages.has(inPackage) && figure("thermal_throttle/package_throttle_count") !== undefined)
      packages.set(inPackage, { package: inPackage, path: `${cpu}/thermal_throttle/package_throttle_count` });
  }
  return { cores: [...cores.values()], packages: [...packages.values()] };
}
