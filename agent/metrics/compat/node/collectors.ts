import { parseKernelStat } from "../../../source/host/kernel-stat.ts";
import type { Collector } from "../../samples.ts";
import { createArpCollector } from "./arp.ts";
import { createConntrackCollector } from "./conntrack.ts";
import { createCpuCollector } from "./cpu.ts";
import { createDiskstatsCollector } from "./diskstats.ts";
import { createEntropyCollector } from "./entropy.ts";
import { createFilefdCollector } from "./filefd.ts";
import { createFilesystemCollector } from "./filesystem.ts";
import { createLoadavgCollector } from "./loadavg.ts";
import { createMeminfoCollector } from "./meminfo.ts";
import { createNetclassCollector } from "./netclass.ts";
import { createNetdevCollector } from "./netdev.ts";
import { createNetstatCollector } from "./netstat.ts";
import { type NodeHost, oncePerSnapshot } from "./node-host.ts";
import { createOsCollector } from "./os.ts";
import { createPressureCollector } from "./pressure.ts";
import { createProcessesCollector } from "./processes.ts";
import { createSchedstatCollector } from "./schedstat.ts";
import { createSockstatCollector } from "./sockstat.ts";
import { createSoftnetCollector } from "./softnet.ts";
import { createStatCollector } from "./stat.ts";
import { createTimeCollector } from "./time.ts";
import { createTimexCollector } from "./timex.ts";
import { createUdpQueuesCollector } from "./udp-queues.ts";
import { createUnameCollector } from "./uname.ts";
import { createVmstatCollector } from "./vmstat.ts";

/** The collectors of `node_*`, named as in node_exporter, in the order in which their families are shown. */
export function listNodeCollectors(host: NodeHost): readonly Collector[] {
  const stat = oncePerSnapshot(() => {
    const text = host.files.read(`${host.files.roots.proc}/stat`);
    return text === undefined ? undefined : parseKernelStat(text);
  });
  return [
    createArpCollector(host),
    createConntrackCollector(host),
    createCpuCollector(host, stat),
    createDiskstatsCollector(host),
    createEntropyCollector(host),
    createFilefdCollector(host),
    createFilesystemCollector(host),
    createLoadavgCollector(host),
    createMeminfoCollector(host),
    createNetclassCollector(host),
    createNetdevCollector(host),
    createNetstatCollector(host),
    createOsCollector(host),
    createPressureCollector(host),
    createProcessesCollector(host),
    createSchedstatCollector(host),
    createSockstatCollector(host),
    createSoftnetCollector(host),
    createStatCollector(stat),
    createTimeCollector(host),
    createTimexCollector(host),
    createUdpQueuesCollector(host),
    createUnameCollector(host),
    createVmstatCollector(host),
  ];
}
