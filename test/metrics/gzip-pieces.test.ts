import zlib from "node:zlib";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createPieceGzip } from "../../agent/metrics/gzip-pieces.ts";
import { createPiece, joinPieces } from "../../agent/metrics/pieces.ts";

const bodies = fc.array(fc.array(fc.string({ maxLength: 2_000 }), { maxLength: 40 }), {
  minLength: 1,
  maxLength: 6,
});

test("bodies come out whole, whatever sizes came before and whether one after the other or together", async () => {
  await fc.assert(
    fc.asyncProperty(bodies, fc.boolean(), async (bodies, isTogether) => {
      const gzip = createPieceGzip();
      const wanted = bodies.map((texts) => texts.map((text) => createPiece(text)));
      const made: Buffer[] = [];
      if (isTogether) made.push(...(await Promise.all(wanted.map(gzip))));
      else for (const pieces of wanted) made.push(await gzip(pieces));
      expect(made.map((bytes) => zlib.gunzipSync(bytes))).toEqual(wanted.map(joinPieces));
    }),
  );
});

test("what does not compress is more than one chunk of output", async () => {
  const gzip = createPieceGzip();
  const noise = Array.from({ length: 3 }, (_, at) => ({
    bytes: Buffer.from(Uint8Array.from({ length: 100_000 }, (_, index) => (index * index * (at + 7)) >> 3)),
  }));
  for (let times = 0; times < 3; times++)
    expect(zlib.gunzipSync(await gzip(noise)).equals(joinPieces(noise))).toBe(true);
});
