import { execFileSync } from "node:child_process";
import zlib from "node:zlib";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createPieceGzip } from "../../agent/metrics/gzip-pieces.ts";
import { createPiece, joinPieces } from "../../agent/metrics/pieces.ts";

/** Up to what is compressed by itself. */
const texts = fc
  .tuple(fc.string({ maxLength: 200, size: "max" }), fc.constantFrom(1, 1, 1, 20, 400))
  .map(([text, times]) => text.repeat(times));
const bodies = fc.array(fc.array(texts, { maxLength: 20 }), { minLength: 1, maxLength: 6 });

test("bodies come out whole, whatever sizes came before and whether one after the other or together", async () => {
  await fc.assert(
    fc.asyncProperty(bodies, fc.boolean(), async (bodies, isTogether) => {
      const gzip = createPieceGzip(() => performance.now());
      const wanted = bodies.map((texts) => texts.map((text) => createPiece(text)));
      const made: Buffer[] = [];
      if (isTogether) made.push(...(await Promise.all(wanted.map(gzip))));
      else for (const pieces of wanted) made.push(await gzip(pieces));
      for (const [at, bytes] of made.entries())
        expect(zlib.gunzipSync(bytes).equals(joinPieces(wanted[at] ?? []))).toBe(true);
    }),
  );
});

test("pieces that stay are given again, in whatever order and between whatever else", async () => {
  const kept = fc
    .array(texts, { minLength: 1, maxLength: 4 })
    .map((all) => all.map((one) => createPiece(one)));
  const orders = fc.array(fc.array(fc.nat(9), { maxLength: 12 }), { minLength: 2, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(kept, texts, orders, async (kept, other, orders) => {
      const gzip = createPieceGzip(() => performance.now());
      for (const order of orders) {
        const pieces = order.map((at) => kept[at] ?? createPiece(other));
        expect(zlib.gunzipSync(await gzip(pieces)).equals(joinPieces(pieces))).toBe(true);
      }
    }),
    { numRuns: 50 },
  );
});

test("what takes long lets others have their turn", async () => {
  let now = 0;
  const gzip = createPieceGzip(() => now++);
  const pieces = Array.from({ length: 40 }, (_, at) => createPiece(`${at} `.repeat(20_000)));
  let turns = 0;
  const others = setInterval(() => turns++, 0);
  const body = await gzip(pieces);
  clearInterval(others);
  expect(turns).toBeGreaterThan(0);
  expect(zlib.gunzipSync(body).equals(joinPieces(pieces))).toBe(true);
});

test("a body that grows much, piece by piece, is divided anew: no run becomes long", async () => {
  let [now, pauses] = [0, 0];
  const gzip = createPieceGzip(() => {
    pauses++;
    return now++;
  });
  const make = (times: number) =>
    Array.from({ length: 50 }, (_, at) => createPiece(`figure{at="${at}"} 1\n`.repeat(times)));
  await gzip(make(10));
  const before = pauses;
  const large = make(1_000);
  const body = await gzip(large);
  // It is asked for a pause before each run.
  expect(pauses - before).toBeGreaterThan(20);
  expect(zlib.gunzipSync(body).equals(joinPieces(large))).toBe(true);
});

test("gzip(1) reads it", async () => {
  const gzip = createPieceGzip(() => performance.now());
  const large = createPiece(
    Array.from({ length: 5_000 }, (_, at) => `figure{at="${at}"} ${at * at}\n`).join(""),
  );
  for (const pieces of [[], [createPiece("small\n"), large, large, createPiece("end\n")], [large]]) {
    const input = await gzip(pieces);
    const read = execFileSync("gzip", ["-dc"], { input, maxBuffer: 1 << 30 });
    expect(read.equals(joinPieces(pieces))).toBe(true);
  }
});

test("what does not compress is more than one chunk of output", async () => {
  const gzip = createPieceGzip(() => performance.now());
  const noise = Array.from({ length: 3 }, (_, at) => ({
    bytes: Buffer.from(Uint8Array.from({ length: 100_000 }, (_, index) => (index * index * (at + 7)) >> 3)),
  }));
  for (let times = 0; times < 3; times++)
    expect(zlib.gunzipSync(await gzip(noise)).equals(joinPieces(noise))).toBe(true);
});
