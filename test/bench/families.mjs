// What each group of families adds to the agent's second, over pidward's own families alone.

/** Read anew for each scrape, unlike by default: what a reading costs is what is asked. */
const always = "--metrics.refresh=0s";

/**
 * @param measure runs an agent with some arguments; gives its CPU µs per process and second
 * @returns CPU ms per second of pidward's own families, and what each other group adds to it, each at its best
 */
export async function measureFamilies(measure, processes) {
  const secondOf = async (families) => {
    const { cpuUs } = await measure([`--metrics.families=${families}`, always]);
    return (cpuUs.best * processes) / 1_000;
  };
  const own = await secondOf("pidward");
  const added = {};
  for (const group of ["container", "namedprocess", "node"])
    added[group] = (await secondOf(`pidward,${group}`)) - own;
  return { own, added };
}
