import zlib from "node:zlib";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createPiece, createPieceMemo, gzipPieces, joinPieces } from "../../agent/metrics/pieces.ts";

test("any pieces, compressed one by one, are one gzip file of the whole", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: "grapheme", maxLength: 500 })), async (texts) => {
      const pieces = texts.map((text) => createPiece(text));
      const packed = await gzipPieces(pieces);
      expect(zlib.gunzipSync(packed).equals(joinPieces(pieces))).toBe(true);
      expect(joinPieces(pieces).toString()).toBe(texts.join("").toWellFormed());
    }),
  );
});

test("a piece is compressed once, and a place keeps its piece while the text is the same", async () => {
  const memo = createPieceMemo();
  const piece = memo("head", "text");
  expect(await piece.packed()).toBe(await piece.packed());
  expect(memo("head", "text")).toBe(piece);
  expect(memo("head", "other")).not.toBe(piece);
  expect(memo("tail", "text")).not.toBe(piece);
});

test("a program that reads gzip as a stream reads it, too", async () => {
  const pieces = Array.from({ length: 40 }, (_, index) => createPiece(`line ${index}\n`.repeat(2000), true));
  const stream = zlib.createGunzip();
  stream.end(await gzipPieces(pieces));
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  expect(Buffer.concat(chunks).equals(joinPieces(pieces))).toBe(true);
});
