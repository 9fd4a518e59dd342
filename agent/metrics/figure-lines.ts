import { numberText } from "./label-text.ts";
import { createPiece, type Piece } from "./pieces.ts";

/** Lines that end with a figure each, as one piece. At first none has a figure. */
export interface FigureLines {
  /** @param figure NaN leaves the line out */
  set(line: number, figure: number): void;
  /** How many lines have a figure. */
  count(): number;
  /**
   * The same piece while the figures are the same. When only some have changed, the others' bytes are copied.
   * @param most lines that may be written: the first ones with a figure
   * @returns undefined when there is no line
   */
  render(most: number): Piece | undefined;
}

/** @param prefixOf a line up to its figure */
export function createFigureLines(length: number, prefixOf: (line: number) => string): FigureLines {
  const figures = new Float64Array(length).fill(Number.NaN);
  /** Where in the piece each figure begins, and its line ends. */
  const figureAt = new Int32Array(length);
  const endAt = new Int32Array(length);
  let count = 0;
  /** Lines of which the figure is another one; for those that have come or gone all is written anew. */
  let changed: number[] = [];
  let isWhole = false;
  let written = 0;
  let piece: Piece | undefined;

  const write = (most: number): Piece | undefined => {
    let text = "";
    let bytes = 0;
    let left = most;
    for (let line = 0; line < length && left > 0; line++) {
      const figure = figures[line] ?? Number.NaN;
      if (Number.isNaN(figure)) continue;
      left--;
      const prefix = prefixOf(line);
      const end = `${numberText(figure)}\n`;
      figureAt[line] = bytes + Buffer.byteLength(prefix);
      bytes = (figureAt[line] ?? 0) + end.length;
      endAt[line] = bytes;
      text += prefix + end;
    }
    return text === "" ? undefined : createPiece(text);
  };

  /** The changed lines, each once and in order, with the text of their figures. */
  const textsOf = (lines: readonly number[]): ReadonlyMap<number, string> =>
    new Map(lines.toSorted((a, b) => a - b).map((line) => [line, `${numberText(figures[line] ?? 0)}\n`]));

  const patch = (before: Buffer): Piece => {
    const texts = textsOf(changed);
    let grown = 0;
    for (const [line, text] of texts) grown += text.length - ((endAt[line] ?? 0) - (figureAt[line] ?? 0));
    const bytes = Buffer.allocUnsafeSlow(before.length + grown);
    /** How far the bytes before are copied, and those after are written. */
    let read = 0;
    let at = 0;
    for (const [line, text] of texts) {
      const end = endAt[line] ?? 0;
      at += before.copy(bytes, at, read, figureAt[line]);
      at += bytes.write(text, at, "latin1");
      read = end;
    }
    before.copy(bytes, at, read);
    move(texts);
    return { bytes };
  };
  /** Where lines are once these texts stand in them. */
  const move = (texts: ReadonlyMap<number, string>): void => {
    let moved = 0;
    for (let line = 0; line < length; line++) {
      const from = (figureAt[line] ?? 0) + moved;
      const text = texts.get(line);
      if (text !== undefined) moved += text.length - ((endAt[line] ?? 0) - (figureAt[line] ?? 0));
      figureAt[line] = from;
      endAt[line] = (endAt[line] ?? 0) + moved;
    }
  };

  return {
    set: (line, figure) => {
      const before = figures[line] ?? Number.NaN;
      if (figure === before) return;
      figures[line] = figure;
      const wasNone = Number.isNaN(before);
      const isNone = Number.isNaN(figure);
      if (wasNone && isNone) return;
      if (wasNone !== isNone) {
        count += isNone ? -1 : 1;
        isWhole = true;
      } else changed.push(line);
    },
    count: () => count,
    render: (most) => {
      const wanted = Math.min(count, Math.max(0, most));
      if (isWhole || wanted !== written || (wanted < count && changed.length > 0) || piece === undefined)
        piece = write(wanted);
      else if (changed.length > 0) piece = patch(piece.bytes);
      written = wanted;
      isWhole = false;
      changed = [];
      return piece;
    },
  };
}
