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

  /** Copies what is before and between the changed lines' figures, and writes these; then all lines are where they stand. */
  const patch = (before: Buffer): Piece => {
    const lines = inOrder(changed);
    const texts = lines.map((line) => `${numberText(figures[line] ?? 0)}\n`);
    let grown = 0;
    for (let index = 0; index < lines.length; index++)
      grown += (texts[index]?.length ?? 0) - lengthOf(lines[index] ?? 0);
    const bytes = Buffer.allocUnsafeSlow(before.length + grown);
    /** How far the bytes before are copied, and those after are written. */
    let read = 0;
    let at = 0;
    for (let index = 0; index < lines.length; index++) {
      const line = lines[index] ?? 0;
      at += before.copy(bytes, at, read, figureAt[line]);
      at += bytes.write(texts[index] ?? "", at, "latin1");
      read = endAt[line] ?? 0;
    }
    before.copy(bytes, at, read);
    move(lines, texts);
    return { bytes };
  };
  const lengthOf = (line: number): number => (endAt[line] ?? 0) - (figureAt[line] ?? 0);
  /** Where lines are once these texts stand in them. */
  const move = (lines: readonly number[], texts: readonly string[]): void => {
    let moved = 0;
    let next = 0;
    for (let line = lines[0] ?? length; line < length; line++) {
      const from = (figureAt[line] ?? 0) + moved;
      if (lines[next] === line) moved += (texts[next++]?.length ?? 0) - lengthOf(line);
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

/** Each once, ascending. They often are already: figures are set line by line. */
function inOrder(lines: readonly number[]): readonly number[] {
  for (let index = 1; index < lines.length; index++)
    if ((lines[index] ?? 0) <= (lines[index - 1] ?? 0)) return [...new Set(lines)].sort((a, b) => a - b);
  return lines;
}
