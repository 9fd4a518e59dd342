import zlib from "node:zlib";
import { createPauses } from "../source/pauses.ts";
import { combineCrc32, shiftOf } from "./crc32-combine.ts";
import { lengthOf, type Piece } from "./pieces.ts";
import { createDivision, type Run } from "./run-division.ts";

/** What zlib makes of an exposition is smaller by far: it seldom needs a second chunk of output. */
const leastChunk = 4 * 1024;

/**
 * Level 1: the higher ones cost several times as much and save a few percent. It ends at a byte, and nothing in it points
 * back to what stands before: what is compressed apart can be put together (RFC 1951, 3.2.4; zlib.h, Z_SYNC_FLUSH). The memory
 * is made for each run anew: half as much of it (`memLevel`) is a quarter less work, and a run is not larger for it; nor is a short
 * one with a shorter window.
 */
const options = { level: 1, memLevel: 7, finishFlush: zlib.constants.Z_SYNC_FLUSH };
const shortWindowBits = 13;

/** No name, no time, of a Unix (RFC 1952, 2.3). */
const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
/** An empty last block. */
const lastBlock = [0x03, 0x00];

/** A run that was compressed, and what the trailer has to know of it. */
interface Deflated {
  readonly run: Run;
  readonly bytes: Buffer;
  readonly crc: number;
  readonly length: number;
  /** Of `length`. */
  readonly shift: number;
}

/**
 * Compresses bodies that are much the same from one time to the next, as one gzip member (RFC 1952). A run of pieces that
 * stays is compressed once, however many bodies it stands in. The rest is compressed here and now: 160 KiB take a quarter
 * of a millisecond, which is less than handing them to another thread.
 * @param monotonicMs milliseconds of a clock that never goes back
 */
export function createPieceGzip(monotonicMs: () => number): (pieces: readonly Piece[]) => Promise<Buffer> {
  /** By the first piece of the run. */
  const known = new WeakMap<Piece, Deflated>();
  const divide = createDivision();
  const join = createJoiner();
  return async (pieces) => {
    const pause = createPauses(monotonicMs);
    const parts: Deflated[] = [];
    for (const run of divide(pieces)) {
      let part = known.get(run[0]);
      if (part === undefined || !areSame(part.run, run)) {
        const wait = pause();
        if (wait !== undefined) await wait;
        part = deflateRun(run, join);
        known.set(run[0], part);
      }
      parts.push(part);
    }
    return Buffer.concat([header, ...parts.map(({ bytes }) => bytes), trailer(parts)]);
  };
}

function areSame(run: Run, other: Run): boolean {
  return run.length === other.length && run.every((piece, index) => piece === other[index]);
}

function deflateRun(run: Run, join: ReturnType<typeof createJoiner>): Deflated {
  const length = lengthOf(run);
  const text = join(run, length);
  const bytes = zlib.deflateRawSync(text, {
    ...options,
    windowBits: length <= 2 * 2 ** shortWindowBits ? shortWindowBits : zlib.constants.Z_MAX_WINDOWBITS,
    chunkSize: Math.max(leastChunk, length >> 3),
  });
  return { run, bytes, crc: zlib.crc32(text), length, shift: shiftOf(length) };
}

/** Puts runs together, one after the other in one place: new ones for each would be hundreds of kilobytes a second. */
function createJoiner(): (run: Run, length: number) => Buffer {
  let place = Buffer.alloc(0);
  return (run, length) => {
    if (run.length === 1) return run[0].bytes;
    if (place.length < length) place = Buffer.allocUnsafeSlow(2 * length);
    let at = 0;
    for (const { bytes } of run) at += bytes.copy(place, at);
    return place.subarray(0, length);
  };
}

/** What ends a member: the last block, the CRC and the length of what was compressed, both modulo 2^32. */
function trailer(parts: readonly Deflated[]): Buffer {
  const crc = parts.reduce((sum, part) => combineCrc32(sum, part.crc, part.shift), 0);
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = Buffer.alloc(lastBlock.length + 8);
  bytes.set(lastBlock);
  bytes.writeUInt32LE(crc, lastBlock.length);
  bytes.writeUInt32LE(length % 2 ** 32, lastBlock.length + 4);
  return bytes;
}
