// some avg10=92.44 avg60=81.81 avg300=57.85 total=4183599525
// full avg10=0.00 avg60=0.00 avg300=0.00 total=0

/** Microseconds in which some or all tasks had to wait (kernel documentation, accounting/psi). */
export interface Pressure {
  readonly some: number | undefined;
  readonly full: number | undefined;
}

export function parsePressure(text: string): Pressure {
  const total = (kind: string): number | undefined => {
    const figure = new RegExp(`^${kind} .*\\btotal=(\\d+)$`, "m").exec(text)?.[1];
    return figure === undefined ? undefined : Number(figure);
  };
  return { some: total("some"), full: total("full") };
}
