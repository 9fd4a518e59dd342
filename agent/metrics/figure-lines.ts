import { numberText } from "./label-text.ts";
import { createPiece, type Piece } from "./pieces.ts";

/** Lines that end with a figure each, as one piece. */
export interface FigureLines {
  /**
   * The same piece while the figures are the same. When only some have changed, the others' bytes are copied.
   * @param figures one for each line; a line whose figure is NaN is left out
   * @returns undefined when there is no line
   */
  render(figures: Float64Array): Piece | undefined;
}

/** @param prefixOf a line up to its figure */
export function createFigureLines(count: number, prefixOf: (line: number) => string): FigureLines {
  const shown = new Float64Array(count).fill(Number.NaN);
  /** Where in the piece each figure begins, and its line ends. */
  const figureAt = new Int32Array(count);
  const endAt = new Int32Array(count);
  let piece: Piece | undefined;

  const write = (figures: Float64Array): Piece | undefined => {
    let text = "";
    let bytes = 0;
    for (const [line, figure] of figures.entries()) {
      if (Number.isNaN(figure)) continue;
      const prefix = prefixOf(line);
      const end = `${numberText(figure)}\n`;
      figureAt[line] = bytes + Buffer.byteLength(prefix);
      bytes = (figureAt[line] ?? 0) + end.length;
      endAt[line] = bytes;
      text += prefix + end;
    }
    return text === "" ? undefined : createPiece(text);
  };

  const patch = (before: Buffer, figures: Float64Array): Piece => {
    const texts = new Map<number, string>();
    let length = before.length;
    for (let line = 0; line < count; line++) {
      const figure = figures[line] ?? Number.NaN;
      if (figure === shown[line] || Number.isNaN(figure)) continue;
      const text = `${numberText(figure)}\n`;
      texts.set(line, text);
      length += text.length - ((endAt[line] ?? 0) - (figureAt[line] ?? 0));
    }
    const bytes = Buffer.allocUnsafeSlow(length);
    /** How far the bytes before are copied, and those after are written. */
    let [read, written] = [0, 0];
    let moved = 0;
    for (let line = 0; line < count; line++) {
      const text = texts.get(line);
      const [from, to] = [figureAt[line] ?? 0, endAt[line] ?? 0];
      figureAt[line] = from + moved;
      if (text !== undefined) {
        written += before.copy(bytes, written, read, from);
        written += bytes.write(text, written, "latin1");
        read = to;
        moved = written - read;
      }
      endAt[line] = to + moved;
    }
    before.copy(bytes, written, read);
    return { bytes };
  };

  return {
    render: (figures) => {
      const change = compare(shown, figures);
      if (change === "none") return piece;
      piece = change === "figures" && piece !== undefined ? patch(piece.bytes, figures) : write(figures);
      shown.set(figures);
      return piece;
    },
  };
}

/** Whether all is the same, only figures have changed, or lines have come or gone. */
function compare(before: Float64Array, now: Float64Array): "none" | "figures" | "lines" {
  let change: "none" | "figures" = "none";
  for (let at = 0; at < now.length; at++) {
    const [old, fresh] = [before[at] ?? Number.NaN, now[at] ?? Number.NaN];
    if (old === fresh) continue;
    const [wasNone, isNone] = [Number.isNaN(old), Number.isNaN(fresh)];
    if (wasNone !== isNone) return "lines";
    if (!isNone) change = "figures";
  }
  return change;
}
