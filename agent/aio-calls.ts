import os from "node:os";
import type { NativeFunction } from "./file-calls.ts";

/**
 * Reads that can be given up: aio(7), whose threads are the C library's own and take no memory to speak of (one of Node's
 * takes 9 MiB).
 */
export interface AioCalls {
  /** Room for one read at a time. @param bytes that it can hold */
  readonly createSlot: (bytes: number) => AioSlot;
}

export interface AioSlot {
  /** What the last read left. Not to be touched while one is under way. */
  readonly bytes: Buffer;
  /**
   * aio_read(3): begins to read as many bytes from there. The descriptor must stay open until the end.
   * @returns 0, or the negative number of errno(3)
   * @throws Error while a read is under way, and for more bytes than it can hold
   */
  readonly begin: (fd: number, offset: number, length: number) => number;
  /** @returns how many bytes were read, or the negative number of errno(3); undefined: it is under way still */
  readonly wait: (limitMs: number) => number | undefined;
}

/**
 * struct aiocb as both glibc and musl have it on 64 bits, of 168 bytes: int aio_fildes, int aio_lio_opcode,
 * int aio_reqprio, void *aio_buf (16), size_t aio_nbytes (24), struct sigevent (32; its int sigev_notify at 44), the
 * library's own, off_t aio_offset (128).
 */
const controlBytes = 256;
const int32At = { descriptor: 0, notify: 11 } as const;
const uint64At = { buffer: 2, length: 3, offset: 16 } as const;
const SIGEV_NONE = 1;
const { EINPROGRESS } = os.constants.errno;

/** Slots whose memory a thread of the library writes to: kept, whoever forgets them. */
const underWay = new Set<AioSlot>();

/**
 * @param bind makes a function of its name and its C types; @param errno gives that of the last call
 * @param addressOf where memory is, which must stay there as long as it is referred to
 * @throws Error of `bind` where the C library lacks one (glibc before 2.34 has them in a library of their own)
 */
export function bindAioCalls(
  bind: (name: string, result: string, parameters: string[]) => NativeFunction,
  errno: () => number,
  addressOf: (memory: ArrayBuffer) => bigint,
): AioCalls {
  const calls: NativeCalls = {
    read: bind("aio_read", "int", ["void *"]),
    suspend: bind("aio_suspend", "int", ["void *", "int", "void *"]),
    error: bind("aio_error", "int", ["void *"]),
    result: bind("aio_return", "long", ["void *"]),
  };
  return { createSlot: (bytes) => createSlot(bytes, calls, errno, addressOf) };
}

type NativeCalls = Readonly<Record<"read" | "suspend" | "error" | "result", NativeFunction>>;

function createSlot(
  size: number,
  calls: NativeCalls,
  errno: () => number,
  addressOf: (memory: ArrayBuffer) => bigint,
): AioSlot {
  const memory = new ArrayBuffer(size);
  const control = new ArrayBuffer(controlBytes);
  const numbers = new Int32Array(control);
  const longs = new BigUint64Array(control);
  const list = BigUint64Array.of(addressOf(control)).buffer;
  const timeout = new BigInt64Array(2);
  numbers[int32At.notify] = SIGEV_NONE;
  longs[uint64At.buffer] = addressOf(memory);
  const slot: AioSlot = {
    bytes: Buffer.from(memory),
    begin: (fd, offset, length) => {
      if (underWay.has(slot)) throw new Error("a read is under way");
      if (length > size) throw new Error(`${length} bytes do not fit into ${size}`);
      numbers[int32At.descriptor] = fd;
      longs[uint64At.length] = BigInt(length);
      longs[uint64At.offset] = BigInt(offset);
      underWay.add(slot);
      if (calls.read(control) === 0) return 0;
      underWay.delete(slot);
      return -errno();
    },
    wait: (limitMs) => {
      const end = performance.now() + limitMs;
      for (;;) {
        const error = calls.error(control);
        if (error !== EINPROGRESS) {
          underWay.delete(slot);
          const result = calls.result(control);
          return error === 0 ? result : -error;
        }
        const leftMs = Math.ceil(end - performance.now());
        if (leftMs <= 0) return undefined;
        timeout[0] = BigInt(Math.floor(leftMs / 1_000));
        timeout[1] = BigInt((leftMs % 1_000) * 1e6);
        // Whatever it says, a signal included, is seen above.
        calls.suspend(list, 1, timeout.buffer);
      }
    },
  };
  return slot;
}
