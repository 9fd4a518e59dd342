import type { SubjectFamily } from "./families.ts";
import { createFigureLines } from "./figure-lines.ts";
import { labelText } from "./label-text.ts";
import type { Piece } from "./pieces.ts";

/**
 * Series of one piece, about: what changes with one of them is compressed anew with all of them. The fewer, the more
 * compressors are set up.
 */
const seriesOfBlock = 128;

/** A subject with the text of its labels, which is the same string while they are the same. */
export interface Labelled<S> {
  readonly subject: S;
  readonly text: string;
}

export interface Rendered {
  readonly pieces: readonly Piece[];
  readonly written: number;
  /** Series beyond `most`. */
  readonly dropped: number;
}

/** The series of one family. Most figures are the same in the next rendering, and so are the pieces that hold them. */
export interface SeriesBlocks<S> {
  /** @param most series that may be written */
  render(subjects: readonly Labelled<S>[], most: number): Rendered;
}

export function createSeriesBlocks<S>(family: SubjectFamily<S>): SeriesBlocks<S> {
  const width = Math.max(1, Math.floor(seriesOfBlock / Math.max(1, family.readings.length)));
  const blocks: SeriesBlocks<S>[] = [];
  return {
    render: (subjects, most) => {
      const pieces: Piece[] = [];
      let written = 0;
      let dropped = 0;
      let count = 0;
      for (let from = 0; from < subjects.length; from += width) {
        blocks[count] ??= createBlock(family);
        const rendered = blocks[count++]?.render(subjects.slice(from, from + width), most - written);
        if (rendered === undefined) continue;
        pieces.push(...rendered.pieces);
        written += rendered.written;
        dropped += rendered.dropped;
      }
      blocks.length = count;
      return { pieces, written, dropped };
    },
  };
}

function createBlock<S>(family: SubjectFamily<S>): SeriesBlocks<S> {
  // A family whose labels are all the subject's own has readings without values.
  const own = family.readings.map(({ values }) =>
    values.length === 0 ? "" : labelText(family.labels, values),
  );
  let texts: readonly string[] = [];
  let figures = new Float64Array(0);
  let lines = createFigureLines(0, () => "");

  const relabel = (subjects: readonly Labelled<S>[]): void => {
    const labels = subjects.map(({ text }) => text);
    texts = labels;
    figures = new Float64Array(labels.length * own.length);
    lines = createFigureLines(figures.length, (line) => {
      const text = labels[Math.floor(line / own.length)] ?? "";
      return `${family.name}${braced(text, own[line % own.length] ?? "")} `;
    });
  };
  /** @returns how many series have a figure */
  const read = (subjects: readonly Labelled<S>[]): number => {
    let at = 0;
    let count = 0;
    for (const { subject } of subjects) {
      for (const { read } of family.readings) {
        const figure = read(subject);
        figures[at++] = figure;
        if (!Number.isNaN(figure)) count++;
      }
    }
    return count;
  };
  return {
    render: (subjects, most) => {
      const isLabelled =
        texts.length === subjects.length && subjects.every(({ text }, index) => text === texts[index]);
      if (!isLabelled) relabel(subjects);
      const count = read(subjects);
      const written = Math.min(count, Math.max(0, most));
      if (written < count) dropBehind(figures, written);
      const piece = lines.render(figures);
      return { pieces: piece === undefined ? [] : [piece], written, dropped: count - written };
    },
  };
}

/** Leaves so many of the figures. */
function dropBehind(figures: Float64Array, most: number): void {
  let left = most;
  for (const [at, figure] of figures.entries()) {
    if (Number.isNaN(figure)) continue;
    if (left > 0) left--;
    else figures[at] = Number.NaN;
  }
}

function braced(text: string, label: string): string {
  const inside = text === "" || label === "" ? text + label : `${text},${label}`;
  return inside === "" ? "" : `{${inside}}`;
}
