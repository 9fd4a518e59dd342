/** A subject with the text of its labels. The same object again says that nothing of it has changed. */
export interface Labelled<S> {
  readonly subject: S;
  readonly text: string;
}

/** Subjects, and how they differ from those of the time before. */
export interface SubjectChanges<S> {
  readonly subjects: readonly Labelled<S>[];
  /** The list of the time before. */
  readonly since: readonly Labelled<S>[];
  /** Indices at which there is another object, ascending; undefined where their number or a label is another, too. */
  readonly changed: readonly number[] | undefined;
}

/** Compares each list with the one before: once for all families that are rendered of it. */
export function createSubjectComparison<S>(): (subjects: readonly Labelled<S>[]) => SubjectChanges<S> {
  let last: readonly Labelled<S>[] = [];
  return (subjects) => {
    const since = last;
    last = subjects;
    return { subjects, since, changed: compare(since, subjects) };
  };
}

function compare<S>(
  before: readonly Labelled<S>[],
  now: readonly Labelled<S>[],
): readonly number[] | undefined {
  if (before.length !== now.length) return undefined;
  const changed: number[] = [];
  for (let index = 0; index < now.length; index++) {
    const one = now[index];
    const other = before[index];
    if (one === other) continue;
    if (one?.text !== other?.text) return undefined;
    changed.push(index);
  }
  return changed;
}
