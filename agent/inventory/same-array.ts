import { haveSameElements } from "../source/same-elements.ts";

/** Gives the array of the last call again while its elements are the same, so that those behind need not compare them. */
export function createSameArray<T extends ArrayLike<unknown>>(): (array: T) => T {
  let last: T | undefined;
  return (array) => {
    if (last === undefined || !haveSameElements(last, array)) last = array;
    return last;
  };
}
