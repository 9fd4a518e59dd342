/** Datagrams for one system call, and the room for each. */
export const datagramsAtOnce = 64;
const datagramBytes = 256;

/**
 * What recvmmsg(2) writes into: an array of struct mmsghdr (64 bytes: msghdr of 56, then u32 length) and, for each, one
 * iovec, the sender's address and the datagram.
 */
export function createBatch(addressOf: (buffer: Buffer) => bigint) {
  const headerBytes = 64;
  const partBytes = 16 + 16 + datagramBytes;
  const headers = Buffer.alloc(datagramsAtOnce * headerBytes);
  const parts = Buffer.alloc(datagramsAtOnce * partBytes);
  const base = addressOf(parts) + BigInt(parts.byteOffset);
  const reset = (): void => {
    for (let index = 0; index < datagramsAtOnce; index++) headers.writeUInt32LE(16, index * headerBytes + 8);
  };
  for (let index = 0; index < datagramsAtOnce; index++) {
    const [header, part] = [index * headerBytes, index * partBytes];
    headers.writeBigUInt64LE(base + BigInt(part + 16), header);
    headers.writeBigUInt64LE(base + BigInt(part), header + 16);
    headers.writeBigUInt64LE(1n, header + 24);
    parts.writeBigUInt64LE(base + BigInt(part + 32), part);
    parts.writeBigUInt64LE(BigInt(datagramBytes), part + 8);
  }
  reset();
  return {
    headers,
    reset,
    /** Undefined where another process was the sender: port 0 is the kernel. */
    datagram: (index: number): Buffer | undefined => {
      const part = index * partBytes;
      if (parts.readUInt32LE(part + 20) !== 0) return undefined;
      const length = Math.min(headers.readUInt32LE(index * headerBytes + 56), datagramBytes);
      return parts.subarray(part + 32, part + 32 + length);
    },
  };
}
