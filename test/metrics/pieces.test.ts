import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createPiece, createPieceMemo, joinPieces } from "../../agent/metrics/pieces.ts";

test("pieces joined are the bytes of the whole text", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme", maxLength: 500 })), (texts) => {
      const pieces = texts.map((text) => createPiece(text));
      expect(joinPieces(pieces).toString()).toBe(texts.join("").toWellFormed());
    }),
  );
});

test("a place keeps its piece while the text is the same", () => {
  const memo = createPieceMemo();
  const piece = memo("head", "text");
  expect(memo("head", "text")).toBe(piece);
  expect(memo("head", "other")).not.toBe(piece);
  expect(memo("tail", "text")).not.toBe(piece);
});
