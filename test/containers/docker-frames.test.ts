import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createFrameParser } from "../../agent/containers/docker-frames.ts";
import type { OutputPiece } from "../../agent/containers/runtime.ts";

function frame(source: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header[0] = source;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

function parse(chunks: readonly Buffer[]): Readonly<Record<OutputPiece["from"], Buffer>> {
  const found = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const feed = createFrameParser();
  for (const chunk of chunks) feed(chunk, ({ from, bytes }) => found[from].push(bytes));
  return { stdout: Buffer.concat(found.stdout), stderr: Buffer.concat(found.stderr) };
}

function cutAt(bytes: Buffer, cuts: readonly number[]): readonly Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((place, index) => bytes.subarray(places[index], place));
}

const frames = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 40 })), { maxLength: 12 });

test("any frames, cut anywhere, give the same bytes, each in its output", () => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat(), { maxLength: 30 }), (all, cuts) => {
      const bytes = Buffer.concat(all.map(([source, payload]) => frame(source, payload)));
      const of = (wanted: number): Buffer =>
        Buffer.concat(all.filter(([source]) => source === wanted).map(([, payload]) => payload));
      const found = parse(cutAt(bytes, cuts));
      expect(found.stdout.equals(of(1))).toBe(true);
      expect(found.stderr.equals(of(2))).toBe(true);
    }),
  );
});

test("a header in eight reads and a character in two frames come together", () => {
  const [first, second] = [Buffer.from("ž").subarray(0, 1), Buffer.from("ž").subarray(1)];
  const bytes = Buffer.concat([frame(1, first), frame(2, Buffer.from("err")), frame(1, second)]);
  const found = parse([...bytes].map((byte) => Buffer.from([byte])));
  expect([found.stdout.toString(), found.stderr.toString()]).toEqual(["ž", "err"]);
});

test("the engine's own faults count as stderr, echoed input as stdout, and empty frames as nothing", () => {
  const bytes = [frame(3, Buffer.from("fault")), frame(0, Buffer.from("in")), frame(1, Buffer.alloc(0))];
  expect(parse(bytes)).toEqual({ stdout: Buffer.from("in"), stderr: Buffer.from("fault") });
});

test("what is no frame is an error, never a guess", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 64 }), (noise) => {
      const wrong = Buffer.from([4 + ((noise[0] ?? 0) % 252), ...noise.slice(1)]);
      expect(() => parse([wrong])).toThrow("a frame that begins with");
    }),
  );
});
