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
  let shown: readonly Labelled<S>[] = [];
  let lines = createFigureLines(0, () => "");
  let last: Rendered = { pieces: [], written: 0, dropped: 0 };

  const prefixOf = (line: number): string => {
    const text = shown[Math.floor(line / own.length)]?.text ?? "";
    return `${family.name}${braced(text, own[line % own.length] ?? "")} `;
  };
  /** @returns whether something of them may have changed */
  const take = (subjects: readonly Labelled<S>[]): boolean => {
    const before = shown;
    shown = subjects;
    const isLabelled = haveSameTexts(before, subjects);
    if (!isLabelled) lines = createFigureLines(subjects.length * own.length, prefixOf);
    let isSame = isLabelled;
    let line = 0;
    for (let index = 0; index < subjects.length; index++) {
      const one = subjects[index];
      if (one === undefined || (isLabelled && one === before[index])) {
        line += own.length;
        continue;
      }
      for (const { read } of family.readings) lines.set(line++, read(one.subject));
      isSame = false;
    }
    return !isSame;
  };
  return {
    render: (subjects, most) => {
      const isChanged = take(subjects);
      // A bound that nothing came up to does not matter.
      if (!isChanged && last.dropped === 0 && last.written <= most) return last;
      const piece = lines.render(most);
      const written = Math.min(lines.count(), Math.max(0, most));
      last = { pieces: piece === undefined ? [] : [piece], written, dropped: lines.count() - written };
      return last;
    },
  };
}

function haveSameTexts<S>(some: readonly Labelled<S>[], others: readonly Labelled<S>[]): boolean {
  if (some.length !== others.length) return false;
  for (let index = 0; index < some.length; index++) {
    const one = some[index];
    const other = others[index];
    if (one !== other && one?.text !== other?.text) return false;
  }
  return true;
}

function braced(text: string, label: string): string {
  const inside = text === "" || label === "" ? text + label : `${text},${label}`;
  return inside === "" ? "" : `{${inside}}`;
}
