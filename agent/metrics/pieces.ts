/** A stretch of an exposition, kept while its text is the same. */
export interface Piece {
  readonly bytes: Buffer;
}

export function createPiece(text: string): Piece {
  return { bytes: Buffer.from(text) };
}

/** Gives the piece of a place again while its text is the same. */
export type PieceMemo = (place: string, text: string) => Piece;

export function createPieceMemo(): PieceMemo {
  const known = new Map<string, { readonly text: string; readonly piece: Piece }>();
  return (place, text) => {
    const last = known.get(place);
    if (last?.text === text) return last.piece;
    const piece = createPiece(text);
    known.set(place, { text, piece });
    return piece;
  };
}

export function joinPieces(pieces: readonly Piece[]): Buffer {
  return Buffer.concat(pieces.map(({ bytes }) => bytes));
}

/** In bytes. */
export function lengthOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
