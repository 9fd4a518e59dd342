import { promisify } from "node:util";
import zlib from "node:zlib";
import { joinInto, lengthOf, type Piece } from "./pieces.ts";

const gzip = promisify(zlib.gzip);

/** A body that grows a little from one scan to the next still fits. */
const spareShare = 1.25;
/** zlib's own, and its least. */
const leastChunk = 16 * 1024;

/**
 * Compresses bodies that are much the same from one time to the next. The whole text is joined in a buffer that is used
 * again: it is megabytes for each scan, which V8 would only collect with its whole heap. What comes out is as large as the
 * last one and a bit: for each further chunk of the output a thread has to be waited for.
 */
export function createPieceGzip(): (pieces: readonly Piece[]) => Promise<Buffer> {
  let spare: Buffer | undefined;
  let chunkSize = leastChunk;
  return async (pieces) => {
    const length = lengthOf(pieces);
    // Two may be under way at the same time, of different bodies: the second has a buffer of its own.
    const room = spare !== undefined && spare.length >= length ? spare : allocate(length);
    spare = undefined;
    joinInto(room, pieces);
    // Level 1: the higher ones cost several times as much and save a few percent. Compressing each piece once and joining
    // them costs more than all at once: setting up the compressor is most of it.
    const compressed = await gzip(room.subarray(0, length), { level: 1, chunkSize });
    spare = room;
    chunkSize = Math.max(leastChunk, Math.ceil(compressed.length * spareShare));
    return compressed;
  };
}

function allocate(length: number): Buffer {
  // Not of the pool, which would be held with it.
  return Buffer.allocUnsafeSlow(Math.ceil(length * spareShare));
}
