//   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
//  175: 0100007F:0202 00000000:0000 07 00000000:00000300 00:00000000 00000000     0        0 2040 2 0000000000000000 0

/** Bytes that wait in UDP sockets. */
export interface UdpQueues {
  readonly sending: number;
  readonly receiving: number;
}

/** /proc/PID/net/udp and udp6 (proc_pid_net(5)): the sum over all sockets. */
export function parseUdp(text: string): UdpQueues {
  let [sending, receiving] = [0, 0];
  const lines = text.matchAll(
    /^ *\d+: [\dA-F]+:[\dA-F]+ [\dA-F]+:[\dA-F]+ [\dA-F]+ ([\dA-F]+):([\dA-F]+) /gm,
  );
  for (const [, tx = "", rx = ""] of lines) {
    sending += Number.parseInt(tx, 16);
    receiving += Number.parseInt(rx, 16);
  }
  return { sending, receiving };
}
