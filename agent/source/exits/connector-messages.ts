// Messages of the proc connector (include/uapi/linux/cn_proc.h, Documentation/driver-api/connector.rst), one a datagram:
// nlmsghdr { u32 length; u16 type, flags; u32 seq, port } cn_msg { u32 idx, val, seq, ack; u16 length, flags }
// proc_event { u32 what, cpu; u64 timestamp; then by kind }

export const NETLINK_CONNECTOR = 11;
export const CN_IDX_PROC = 1;
const CN_VAL_PROC = 1;
const NLMSG_DONE = 3;
const PROC_CN_MCAST_LISTEN = 1;

const netlinkBytes = 16;
const connectorBytes = 20;
const eventAt = netlinkBytes + connectorBytes;

const PROC_EVENT_NONE = 0;
const PROC_EVENT_FORK = 1;
const PROC_EVENT_EXIT = 0x8000_0000;

interface EventBase {
  readonly cpu: number;
  /** Counts the events of this CPU, modulo 2^32. */
  readonly sequence: number;
  /** Nanoseconds of CLOCK_MONOTONIC. */
  readonly clockNs: number;
}

/** Process ids are those of thread groups; `threadId` equals it for the first thread. */
export type ConnectorEvent = EventBase &
  (
    | { readonly kind: "acknowledged"; readonly error: number }
    | {
        readonly kind: "fork";
        readonly processId: number;
        readonly threadId: number;
        readonly parentId: number;
      }
    | {
        readonly kind: "exit";
        readonly processId: number;
        readonly threadId: number;
        /** In the encoding of wait(2). */
        readonly status: number;
      }
    | { readonly kind: "other" }
  );

/** @returns undefined when the bytes are no event of the proc connector */
export function parseConnectorEvent(bytes: Buffer): ConnectorEvent | undefined {
  const isProc =
    bytes.length >= eventAt + 16 &&
    bytes.readUInt16LE(4) === NLMSG_DONE &&
    bytes.readUInt32LE(netlinkBytes) === CN_IDX_PROC &&
    bytes.readUInt32LE(netlinkBytes + 4) === CN_VAL_PROC;
  if (!isProc) return undefined;
  const base: EventBase = {
    sequence: bytes.readUInt32LE(netlinkBytes + 8),
    cpu: bytes.readUInt32LE(eventAt + 4),
    clockNs: bytes.readUInt32LE(eventAt + 8) + bytes.readUInt32LE(eventAt + 12) * 2 ** 32,
  };
  const what = bytes.readUInt32LE(eventAt);
  const has = (count: number): boolean => bytes.length >= eventAt + 16 + count * 4;
  const word = (index: number): number => bytes.readInt32LE(eventAt + 16 + index * 4);
  if (what === PROC_EVENT_NONE && has(1)) return { ...base, kind: "acknowledged", error: word(0) };
  if (what === PROC_EVENT_FORK && has(4))
    return { ...base, kind: "fork", parentId: word(1), threadId: word(2), processId: word(3) };
  if (what === PROC_EVENT_EXIT && has(3))
    return { ...base, kind: "exit", threadId: word(0), processId: word(1), status: word(2) };
  return { ...base, kind: "other" };
}

/** The message that makes the kernel send events to this socket. */
export function listenMessage(): Buffer {
  const message = Buffer.alloc(eventAt + 4);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(NLMSG_DONE, 4);
  message.writeUInt32LE(CN_IDX_PROC, netlinkBytes);
  message.writeUInt32LE(CN_VAL_PROC, netlinkBytes + 4);
  message.writeUInt16LE(4, netlinkBytes + 16);
  message.writeUInt32LE(PROC_CN_MCAST_LISTEN, eventAt);
  return message;
}
