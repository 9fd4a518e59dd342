import type { SubjectFamily } from "./families.ts";
import { createFigureLines } from "./figure-lines.ts";
import { labelText } from "./label-text.ts";
import type { Piece } from "./pieces.ts";

/**
 * Series of one piece, about: what changes with one of them is compressed anew with all of them. The fewer, the more
 * compressors are set up.
 */
const seriesOfBlock = 128;

/** A subject with the text of its labels. The same object again says that nothing of it has changed. */
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
  const blocks: Block<S>[] = [];
  return {
    render: (subjects, most) => {
      const pieces: Piece[] = [];
      let written = 0;
      let dropped = 0;
      let count = 0;
      for (let from = 0; from < subjects.length; from += width) {
        const block = blocks[count] ?? createBlock(family);
        blocks[count++] = block;
        const end = Math.min(subjects.length, from + width);
        const rendered = block.render(subjects, from, end, most - written);
        pieces.push(...rendered.pieces);
        written += rendered.written;
        dropped += rendered.dropped;
      }
      blocks.length = count;
      return { pieces, written, dropped };
    },
  };
}

/** The series of some subjects that follow one another. */
interface Block<S> {
  render(subjects: readonly Labelled<S>[], from: number, end: number, most: number): Rendered;
}

function createBlock<S>(family: SubjectFamily<S>): Block<S> {
  // A family whose labels are all the subject's own has readings without values.
  const own = family.readings.map(({ values }) =>
    values.length === 0 ? "" : labelText(family.labels, values),
  );
  const { basis } = family;
  const shown: Labelled<S>[] = [];
  let lines = createFigureLines(0, () => "");
  let last: Rendered = { pieces: [], written: 0, dropped: 0 };

  const prefixOf = (line: number): string => {
    const text = shown[Math.floor(line / own.length)]?.text ?? "";
    return `${family.name}${braced(text, own[line % own.length] ?? "")} `;
  };
  const areShown = (subjects: readonly Labelled<S>[], from: number, end: number): boolean => {
    if (shown.length !== end - from) return false;
    for (let index = from; index < end; index++) {
      const one = subjects[index];
      const other = shown[index - from];
      if (one !== other && one?.text !== other?.text) return false;
    }
    return true;
  };
  /** @returns whether something of them may have changed */
  const take = (subjects: readonly Labelled<S>[], from: number, end: number): boolean => {
    const isLabelled = areShown(subjects, from, end);
    if (!isLabelled) {
      lines = createFigureLines((end - from) * own.length, prefixOf);
      shown.length = 0;
    }
    let isSame = isLabelled;
    for (let index = from; index < end; index++) {
      const one = subjects[index];
      const place = index - from;
      const before = shown[place];
      if (one === undefined || one === before) continue;
      shown[place] = one;
      if (before !== undefined && basis !== undefined && basis(one.subject) === basis(before.subject))
        continue;
      for (let at = 0; at < own.length; at++)
        lines.set(place * own.length + at, family.readings[at]?.read(one.subject) ?? Number.NaN);
      isSame = false;
    }
    return !isSame;
  };
  return {
    render: (subjects, from, end, most) => {
      const isChanged = take(subjects, from, end);
      // A bound that nothing came up to does not matter.
      if (!isChanged && last.dropped === 0 && last.written <= most) return last;
      const piece = lines.render(most);
      const written = Math.min(lines.count(), Math.max(0, most));
      last = { pieces: piece === undefined ? [] : [piece], written, dropped: lines.count() - written };
      return last;
    },
  };
}

function braced(text: string, label: string): string {
  const inside = text === "" || label === "" ? text + label : `${text},${label}`;
  return inside === "" ? "" : `{${inside}}`;
}
