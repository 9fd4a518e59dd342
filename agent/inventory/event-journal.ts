import type { EventRecord } from "../api.ts";
import type { KernelUnits } from "../model.ts";
import type { ExitRecord } from "../source/exits/exit-source.ts";
import type { Owner } from "./exit-attribution.ts";
import { createExitedEvents } from "./exited-events.ts";

/** An event before the journal has numbered it. */
export type NewEvent = EventRecord extends infer One
  ? One extends EventRecord
    ? Omit<One, "id">
    : never
  : never;

/** What a reader that comes back has missed. */
export interface Resumption {
  readonly events: readonly EventRecord[];
  /** Events that are not remembered any more; null: the id is of another run of the agent, so nobody knows. */
  readonly missed: number | null;
}

/** The last events, numbered, and those who listen. */
export interface EventJournal {
  add(event: NewEvent): void;
  /** Adds the event `exited` of a process. */
  addExit(exit: ExitRecord, owner: Owner, oomKilled: boolean | null): void;
  /** The last so many, oldest first. */
  tail(count: number): readonly EventRecord[];
  /** What came after an event. @returns undefined when the text is no id */
  after(id: string): Resumption | undefined;
  /** @returns what ends the listening; `onClose` is called when the journal is closed */
  listen(take: (event: EventRecord) => void, onClose: () => void): () => void;
  close(): void;
}

/** @param run told apart from other runs of the agent, in the ids: letters and digits */
export function createEventJournal(run: string, capacity: number, units: KernelUnits): EventJournal {
  /** Undefined: it is the end of a process. */
  const events: (NewEvent | undefined)[] = [];
  const exits = createExitedEvents(capacity, units);
  const listeners = new Map<(event: EventRecord) => void, () => void>();
  /** Number of the next event; event n is at n modulo capacity. */
  let next = 1;
  const get = (number: number): EventRecord => {
    const place = number % capacity;
    return { ...(events[place] ?? exits.get(place)), id: `${run}-${number}` } as EventRecord;
  };
  const from = (first: number): readonly EventRecord[] => {
    const found: EventRecord[] = [];
    for (let number = Math.max(first, next - capacity, 1); number < next; number++) {
      found.push(get(number));
    }
    return found;
  };
  const tell = (): void => {
    const number = next++;
    if (listeners.size === 0) return;
    const event = get(number);
    for (const take of listeners.keys()) take(event);
  };
  return {
    add: (event) => {
      events[next % capacity] = event;
      tell();
    },
    addExit: (exit, owner, oomKilled) => {
      const place = next % capacity;
      events[place] = undefined;
      exits.put(place, exit, owner, oomKilled);
      tell();
    },
    tail: (count) => (count <= 0 ? [] : from(next - count)),
    after: (id) => {
      const match = /^([0-9a-z]+)-(\d{1,15})$/.exec(id);
      if (match === null) return undefined;
      if (match[1] !== run || Number(match[2]) >= next) return { events: from(1), missed: null };
      const first = Number(match[2]) + 1;
      return { events: from(first), missed: Math.max(0, next - capacity - first) };
    },
    listen: (take, onClose) => {
      listeners.set(take, onClose);
      return () => void listeners.delete(take);
    },
    close: () => {
      for (const onClose of [...listeners.values()]) onClose();
      listeners.clear();
    },
  };
}
