/**
 * What the engine answers of a container that may end or be removed meanwhile.
 * @returns undefined where it is not there (404) or does not run (409), as the Engine's API says it
 * @throws whatever else the engine answers
 */
export async function unlessGone<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Error && "statusCode" in error && [404, 409].includes(Number(error.statusCode)))
      return undefined;
    throw error;
  }
}
