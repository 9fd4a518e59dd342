// Samples:  cpuacct.usage_percpu      7517262676887 7753163746223
//           io.stat                   254:0 rbytes=1683456 wbytes=0 rios=19 wios=0 dbytes=0 dios=0 cost.usage=12 cost.wait=0
//           blkio.throttle.io_service_bytes_recursive   8:0 Read 4096\n8:0 Write 0\n8:0 Total 4096\nTotal 4096
//           cpu.pressure              some avg10=11.59 avg60=10.32 avg300=6.97 total=31037319\nfull … total=30570264
import { parsePressure } from "../host/pressure.ts";
import type { DeviceAccount, PressureAccount } from "./accounting.ts";

/** More devices than any host has; what is beyond is left out. */
const mostDevices = 256;

/** cpuacct.usage_percpu: nanoseconds for each possible CPU, in their order. */
export function parsePerCpu(text: string): readonly number[] {
  return text
    .trim()
    .split(/\s+/)
    .flatMap((word) => (/^\d+$/.test(word) ? [Number(word)] : []));
}

/** io.stat of v2, by device. */
export function parseIoDevices(text: string): readonly DeviceAccount[] {
  return text
    .split("\n")
    .flatMap((line) => {
      const device = /^\d+:\d+ /.exec(line)?.[0].trimEnd();
      if (device === undefined) return [];
      const values = new Map(
        [...line.matchAll(/ ([\w.]+)=(\d+)/g)].map((match) => [match[1] ?? "", Number(match[2])]),
      );
      if (values.size === 0) return [];
      return [toDevice(device, values)];
    })
    .slice(0, mostDevices);
}

function toDevice(device: string, values: ReadonlyMap<string, number>): DeviceAccount {
  const value = (key: string): number => values.get(key) ?? Number.NaN;
  const operations = [
    ["Read", "rbytes"],
    ["Write", "wbytes"],
    ["Discard", "dbytes"],
  ] as const;
  return {
    device,
    readBytes: value("rbytes"),
    writtenBytes: value("wbytes"),
    reads: value("rios"),
    writes: value("wios"),
    bytesByOperation: new Map(
      operations.flatMap(([name, key]) => (values.has(key) ? [[name, value(key)] as const] : [])),
    ),
    cost: new Map(
      [...values].flatMap(([key, micros]) =>
        key.startsWith("cost.") ? [[key.slice("cost.".length), micros] as const] : [],
      ),
    ),
  };
}

/** Figures by device and by operation. */
export type BlkioOperations = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** blkio.throttle.io_service_bytes_recursive and io_serviced_recursive of v1. */
export function parseBlkioOperations(text: string): BlkioOperations {
  const devices = new Map<string, Map<string, number>>();
  for (const line of text.split("\n")) {
    const [, device = "", operation = "", value] = /^(\d+:\d+) ([A-Z][a-z]+) (\d+)$/.exec(line) ?? [];
    if (value === undefined) continue;
    const own = devices.get(device) ?? new Map<string, number>();
    devices.set(device, own.set(operation, Number(value)));
  }
  return devices;
}

/** What the two files tell of each device. */
export function toBlkioDevices(bytes: BlkioOperations, counts: BlkioOperations): readonly DeviceAccount[] {
  return [...new Set([...bytes.keys(), ...counts.keys()])].slice(0, mostDevices).map((device) => ({
    device,
    readBytes: bytes.get(device)?.get("Read") ?? Number.NaN,
    writtenBytes: bytes.get(device)?.get("Write") ?? Number.NaN,
    reads: counts.get(device)?.get("Read") ?? Number.NaN,
    writes: counts.get(device)?.get("Write") ?? Number.NaN,
    bytesByOperation: bytes.get(device) ?? new Map(),
    cost: new Map(),
  }));
}

/** A pressure file; NaN for the line that a kernel does not have (`full` of CPU came with 5.13). */
export function parsePressureAccount(text: string): PressureAccount {
  const { some = Number.NaN, full = Number.NaN } = parsePressure(text);
  return { someSeconds: some / 1e6, fullSeconds: full / 1e6 };
}
