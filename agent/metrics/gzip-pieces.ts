import { promisify } from "node:util";
import zlib from "node:zlib";
import { joinInto, lengthOf, type Piece } from "./pieces.ts";

const deflate = promisify(zlib.deflateRaw);

/** Bytes from which a piece is compressed by itself: setting up the compressor is little of it then. */
const leastAlone = 32 * 1024;
/** Bytes from which compressing is left to another thread: handing it over costs as much as these. */
const leastHandedOver = 8 * 1024;
/** A body that grows a little from one scan to the next still fits. */
const spareShare = 1.25;
/** What zlib makes of a text is smaller by far; for each further chunk of the output a thread has to be waited for. */
const leastChunk = 4 * 1024;

/**
 * Level 1: the higher ones cost several times as much and save a few percent. It ends at a byte, and nothing in it points
 * back to what stands before: what is compressed apart can be put together (RFC 1951, 3.2.4; zlib.h, Z_SYNC_FLUSH).
 */
const options = { level: 1, finishFlush: zlib.constants.Z_SYNC_FLUSH };

/** No name, no time, of a Unix (RFC 1952, 2.3). */
const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
/** An empty last block. */
const lastBlock = [0x03, 0x00];

/**
 * Compresses bodies that are much the same from one time to the next, as one gzip member (RFC 1952). Large pieces are
 * compressed once, however many bodies they stand in. What stands between them is joined in a buffer that is used again:
 * it can be megabytes for each scan, which V8 would only collect with its whole heap.
 */
export function createPieceGzip(): (pieces: readonly Piece[]) => Promise<Buffer> {
  const alone = new WeakMap<Piece, Promise<Buffer>>();
  let spare: Buffer | undefined;
  const deflateOnce = (piece: Piece): Promise<Buffer> => {
    const known = alone.get(piece);
    if (known !== undefined) return known;
    const made = deflateBytes(piece.bytes);
    alone.set(piece, made);
    // A failure is not kept: it was the machine's, not the piece's.
    made.catch(() => alone.delete(piece));
    return made;
  };
  return async (pieces) => {
    const runs = splitRuns(pieces);
    const length = runs.reduce((sum, run) => sum + ("piece" in run ? 0 : run.length), 0);
    // Two may be under way at the same time, of different bodies: the second has a buffer of its own.
    const room = spare !== undefined && spare.length >= length ? spare : allocate(length);
    spare = undefined;
    let at = 0;
    const parts = runs.map((run) => {
      if ("piece" in run) return deflateOnce(run.piece);
      const bytes = room.subarray(at, at + run.length);
      at += run.length;
      joinInto(bytes, run.pieces);
      return deflateBytes(bytes);
    });
    const body = Buffer.concat([header, ...(await Promise.all(parts)), trailer(pieces)]);
    spare = room;
    return body;
  };
}

/** A large piece, or what stands before the next one. */
type Run = { readonly piece: Piece } | { readonly pieces: readonly Piece[]; readonly length: number };

function splitRuns(pieces: readonly Piece[]): readonly Run[] {
  const runs: Run[] = [];
  let from = 0;
  const endRun = (to: number): void => {
    const run = pieces.slice(from, to);
    if (run.length > 0) runs.push({ pieces: run, length: lengthOf(run) });
    from = to + 1;
  };
  for (const [index, piece] of pieces.entries()) {
    if (piece.bytes.length < leastAlone) continue;
    endRun(index);
    runs.push({ piece });
  }
  endRun(pieces.length);
  return runs;
}

async function deflateBytes(bytes: Buffer): Promise<Buffer> {
  if (bytes.length < leastHandedOver)
    return zlib.deflateRawSync(bytes, { ...options, chunkSize: leastChunk });
  return deflate(bytes, { ...options, chunkSize: Math.max(leastChunk, bytes.length >> 3) });
}

/** What ends a member: the last block, the CRC and the length of what was compressed, both modulo 2^32. */
function trailer(pieces: readonly Piece[]): Buffer {
  let crc = 0;
  for (const { bytes } of pieces) crc = zlib.crc32(bytes, crc);
  const trailer = Buffer.alloc(lastBlock.length + 8);
  trailer.set(lastBlock);
  trailer.writeUInt32LE(crc, lastBlock.length);
  trailer.writeUInt32LE(lengthOf(pieces) % 2 ** 32, lastBlock.length + 4);
  return trailer;
}

function allocate(length: number): Buffer {
  // Not of the pool, which would be held with it.
  return Buffer.allocUnsafeSlow(Math.ceil(length * spareShare));
}
