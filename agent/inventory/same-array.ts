/** An array, typed or not. */
type Elements = ArrayLike<unknown>;

/** Gives the array of the last call again while its elements are the same, so that those behind need not compare them. */
export function createSameArray<T extends Elements>(): (array: T) => T {
  let last: T | undefined;
  return (array) => {
    if (last === undefined || !haveSameElements(last, array)) last = array;
    return last;
  };
}

/** Element by element; objects by themselves. */
export function haveSameElements(one: Elements, other: Elements): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}
