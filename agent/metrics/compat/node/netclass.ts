import {
  createNetClassReader,
  type NetAttribute,
  type NetInterface,
} from "../../../source/host/net-class.ts";
import type { Family } from "../../families.ts";
import type { Collector } from "../../samples.ts";
import { counter, gauge, type NodeHost, nodeCollector, series } from "./node-host.ts";

const up = gauge("node_network_up", "Value is 1 if operstate is 'up', 0 otherwise.", "device");
const info = gauge(
  "node_network_info",
  "Non-numeric data from /sys/class/net/<iface>, value is always 1.",
  "address",
  "broadcast",
  "device",
  "duplex",
  "ifalias",
  "operstate",
);

const property = (make: typeof gauge, name: string): Family =>
  make(`node_network_${name}`, `Network device property: ${name}`, "device");

const properties: readonly (readonly [family: Family, attribute: NetAttribute, unit?: number])[] = [
  [property(gauge, "address_assign_type"), "addr_assign_type"],
  [property(gauge, "carrier"), "carrier"],
  [property(counter, "carrier_changes_total"), "carrier_changes"],
  [property(counter, "carrier_down_changes_total"), "carrier_down_count"],
  [property(counter, "carrier_up_changes_total"), "carrier_up_count"],
  [property(gauge, "device_id"), "dev_id"],
  [property(gauge, "dormant"), "dormant"],
  [property(gauge, "flags"), "flags"],
  [property(gauge, "iface_id"), "ifindex"],
  [property(gauge, "iface_link"), "iflink"],
  [property(gauge, "iface_link_mode"), "link_mode"],
  [property(gauge, "mtu_bytes"), "mtu"],
  [property(gauge, "name_assign_type"), "name_assign_type"],
  [property(gauge, "net_dev_group"), "netdev_group"],
  [property(gauge, "protocol_type"), "type"],
  // From megabits a second. -1 says that it is not known, and is shown as node_exporter shows it.
  [property(gauge, "speed_bytes"), "speed", 1_000_000 / 8],
  [property(gauge, "transmit_queue_length"), "tx_queue_len"],
];

export function createNetclassCollector(host: NodeHost): Collector {
  const reader = createNetClassReader(host.files, host.monotonicMs);
  const text = ({ attributes }: NetInterface, name: NetAttribute): string => attributes[name] ?? "";
  return nodeCollector("netclass", () => {
    const found = reader.read();
    return [
      series(up, found, (one) => [[one.device], text(one, "operstate") === "up" ? 1 : 0]),
      series(info, found, (one) => [
        [
          text(one, "address"),
          text(one, "broadcast"),
          one.device,
          text(one, "duplex"),
          text(one, "ifalias"),
          text(one, "operstate"),
        ],
        1,
      ]),
      ...properties.map(([family, attribute, unit = 1]) =>
        series(family, found, (one) => {
          const figure = integer(text(one, attribute));
          return [[one.device], figure === undefined ? undefined : figure * unit];
        }),
      ),
    ];
  });
}

/** Some attributes are written in base 16, with its prefix. */
function integer(text: string): number | undefined {
  return /^(-?\d+|0x[\da-f]+)$/i.test(text) ? Number(text) : undefined;
}
