import type { MachineFacts } from "../../../source/machine/machine-facts.ts";
import type { Family } from "../../families.ts";
import { labelText } from "../../label-text.ts";
import type { Collector, FamilySamples } from "../../samples.ts";

export interface MachineParts {
  readonly facts: () => MachineFacts;
  readonly version: string;
  /** Of the container engine; empty while it is not known. */
  readonly engineVersion: () => string;
}

/** The release of cAdvisor whose names these are. */
const followed = "0.60";

type Machine = readonly [name: string, help: string, read: (facts: MachineFacts) => number];

const single: readonly Machine[] = [
  ["machine_cpu_physical_cores", "Number of physical CPU cores.", (facts) => facts.physicalCores],
  ["machine_cpu_cores", "Number of logical CPU cores.", (facts) => facts.cores],
  ["machine_cpu_sockets", "Number of CPU sockets.", (facts) => facts.sockets],
  ["machine_cpu_books", "Number of CPU books.", (facts) => facts.books],
  ["machine_cpu_drawers", "Number of CPU drawers.", (facts) => facts.drawers],
  ["machine_memory_bytes", "Amount of memory installed on the machine.", (facts) => facts.memoryBytes],
  ["machine_swap_bytes", "Amount of swap memory available on the machine.", (facts) => facts.swapBytes],
];

function gauge(name: string, help: string, labels: readonly string[] = []): Family {
  return { name, type: "gauge", help, labels };
}

/** Labels without a value are left out: for Prometheus that is the same. */
function texts(labels: Readonly<Record<string, string>>): string {
  const given = Object.entries(labels).filter(([, value]) => value !== "");
  return labelText(
    given.map(([name]) => name),
    given.map(([, value]) => value),
  );
}

function moduleFamilies(facts: MachineFacts, labels: Readonly<Record<string, string>>): FamilySamples[] {
  const modules = [...facts.memoryModules];
  return [
    {
      family: gauge(
        "machine_dimm_count",
        "Number of RAM DIMM (all types memory modules) value labeled by dimm type.",
        ["type"],
      ),
      samples: modules.map(([type, { count }]) => ({ labels: texts({ ...labels, type }), value: count })),
    },
    {
      family: gauge(
        "machine_dimm_capacity_bytes",
        "Total RAM DIMM capacity (all types memory modules) value labeled by dimm type.",
        ["type"],
      ),
      samples: modules.map(([type, { bytes }]) => ({ labels: texts({ ...labels, type }), value: bytes })),
    },
  ];
}

/** What the machine and the software on it are. */
export function createMachineCollector({ facts: read, version, engineVersion }: MachineParts): Collector {
  return {
    group: "container",
    name: "machine",
    collect: () => {
      const facts = read();
      const labels = {
        machine_id: facts.machineId,
        system_uuid: facts.systemUuid,
        boot_id: facts.bootId,
      };
      const info = texts({
        kernelVersion: facts.kernelRelease,
        osVersion: facts.systemName,
        dockerVersion: engineVersion(),
        cadvisorVersion: followed,
        cadvisorRevision: `pidward ${version}`,
      });
      return [
        {
          family: gauge(
            "cadvisor_version_info",
            "A metric with a constant '1' value labeled by kernel version, OS version, docker version, cadvisor version & cadvisor revision.",
          ),
          samples: [{ labels: info, value: 1 }],
        },
        ...single.map(([name, help, figure]) => ({
          family: gauge(name, help),
          samples: [{ labels: texts(labels), value: figure(facts) }].filter(
            ({ value }) => !Number.isNaN(value),
          ),
        })),
        ...moduleFamilies(facts, labels),
        {
          family: gauge(
            "machine_scrape_error",
            "1 if there was an error while getting machine metrics, 0 otherwise.",
          ),
          samples: [{ labels: "", value: 0 }],
        },
      ];
    },
  };
}
