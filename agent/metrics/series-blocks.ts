import type { SubjectFamily } from "./families.ts";
import { createFigureLines } from "./figure-lines.ts";
import { labelText } from "./label-text.ts";
import type { Piece } from "./pieces.ts";
import type { Labelled, SubjectChanges } from "./subject-changes.ts";

/**
 * Series of one piece, about: what changes with one of them is compressed anew with all of them. The fewer, the more
 * compressors are set up.
 */
const seriesOfBlock = 128;

export interface Rendered {
  readonly pieces: readonly Piece[];
  readonly written: number;
  /** Series beyond `most`. */
  readonly dropped: number;
}

/** The series of one family. Most figures are the same in the next rendering, and so are the pieces that hold them. */
export interface SeriesBlocks<S> {
  /** @param most series that may be written */
  render(changes: SubjectChanges<S>, most: number): Rendered;
}

export function createSeriesBlocks<S>(family: SubjectFamily<S>): SeriesBlocks<S> {
  const width = Math.max(1, Math.floor(seriesOfBlock / Math.max(1, family.readings.length)));
  const blocks: Block<S>[] = [];
  /** The subjects that the blocks show. */
  let shown: readonly Labelled<S>[] = [];
  const showAll = (subjects: readonly Labelled<S>[]): void => {
    let count = 0;
    for (let from = 0; from < subjects.length; from += width) {
      const block = blocks[count] ?? createBlock(family);
      blocks[count++] = block;
      block.show(subjects.slice(from, from + width));
    }
    blocks.length = count;
  };
  return {
    render: ({ subjects, since, changed }, most) => {
      if (shown !== since || changed === undefined) showAll(subjects);
      else {
        for (const index of changed) {
          const one = subjects[index];
          if (one !== undefined) blocks[Math.floor(index / width)]?.replace(index % width, one);
        }
      }
      shown = subjects;
      const pieces: Piece[] = [];
      let written = 0;
      let dropped = 0;
      for (const block of blocks) {
        const rendered = block.render(most - written);
        pieces.push(...rendered.pieces);
        written += rendered.written;
        dropped += rendered.dropped;
      }
      return { pieces, written, dropped };
    },
  };
}

/** The series of some subjects that follow one another. */
interface Block<S> {
  show(subjects: readonly Labelled<S>[]): void;
  /** Another subject of the same labels. */
  replace(place: number, one: Labelled<S>): void;
  render(most: number): Rendered;
}

function createBlock<S>(family: SubjectFamily<S>): Block<S> {
  // A family whose labels are all the subject's own has readings without values.
  const own = family.readings.map(({ values }) =>
    values.length === 0 ? "" : labelText(family.labels, values),
  );
  const { basis, readings } = family;
  let shown: Labelled<S>[] = [];
  let lines = createFigureLines(0, () => "");
  let isChanged = false;
  let last: Rendered = { pieces: [], written: 0, dropped: 0 };

  const prefixOf = (line: number): string => {
    const text = shown[Math.floor(line / own.length)]?.text ?? "";
    return `${family.name}${braced(text, own[line % own.length] ?? "")} `;
  };
  const write = (place: number, subject: S): void => {
    for (let at = 0; at < own.length; at++)
      lines.set(place * own.length + at, readings[at]?.read(subject) ?? Number.NaN);
    isChanged = true;
  };
  const replace = (place: number, one: Labelled<S>): void => {
    const before = shown[place];
    if (one === before) return;
    shown[place] = one;
    if (before === undefined || basis === undefined || basis(one.subject) !== basis(before.subject))
      write(place, one.subject);
  };
  return {
    show: (subjects) => {
      if (
        subjects.length === shown.length &&
        subjects.every(({ text }, place) => text === shown[place]?.text)
      ) {
        for (const [place, one] of subjects.entries()) replace(place, one);
        return;
      }
      shown = [...subjects];
      lines = createFigureLines(subjects.length * own.length, prefixOf);
      for (const [place, { subject }] of subjects.entries()) write(place, subject);
    },
    replace,
    render: (most) => {
      // A bound that nothing came up to does not matter.
      if (!isChanged && last.dropped === 0 && last.written <= most) return last;
      isChanged = false;
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
