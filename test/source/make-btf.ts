/**
 * A small BTF blob, written by hand after Documentation/bpf/btf.rst:
 *
 *   typedef int number;
 *   struct entity { long a; long sum; };
 *   struct task { number pid; struct task *parent; union { long run; int half; }; struct entity entity; struct entity limits[3]; };
 *   enum order { FIRST = 1, SECOND = 7 };
 *   int walk(void);
 */
export function makeBtf(): Buffer {
  let strings = "\0";
  const name = (text: string): number => {
    if (text === "") return 0;
    const known = strings.indexOf(`\0${text}\0`);
    if (known !== -1) return known + 1;
    strings += `${text}\0`;
    return strings.length - text.length - 1;
  };
  const words: number[] = [];
  let id = 0;
  const type = (
    kind: number,
    called: string,
    count: number,
    sizeOrType: number,
    ...extra: readonly number[]
  ): number => {
    words.push(name(called), (kind << 24) | count, sizeOrType, ...extra);
    return ++id;
  };
  const member = (called: string, typeId: number, byte: number): readonly number[] => [
    name(called),
    typeId,
    byte * 8,
  ];
  const int = type(1, "int", 0, 4, 32);
  const long = type(1, "long", 0, 8, 64);
  const number = type(8, "number", 0, int);
  const entity = type(4, "entity", 2, 16, ...member("a", long, 0), ...member("sum", long, 8));
  const limits = type(3, "", 0, 0, entity, int, 3);
  const union = type(5, "", 2, 8, ...member("run", long, 0), ...member("half", int, 0));
  const taskId = id + 2;
  const parent = type(2, "", 0, taskId);
  type(
    4,
    "task",
    5,
    96,
    ...member("pid", number, 0),
    ...member("parent", parent, 8),
    ...member("", union, 16),
    ...member("entity", entity, 32),
    ...member("limits", limits, 48),
  );
  type(6, "order", 2, 4, name("FIRST"), 1, name("SECOND"), 7);
  const prototype = type(13, "", 0, int);
  type(12, "walk", 0, prototype);
  const types = Buffer.alloc(words.length * 4);
  for (const [index, word] of words.entries()) types.writeUInt32LE(word >>> 0, index * 4);
  const text = Buffer.from(strings);
  const header = Buffer.alloc(24);
  header.writeUInt16LE(0xeb9f, 0);
  header.writeUInt8(1, 2);
  for (const [index, word] of [24, 0, types.length, types.length, text.length].entries())
    header.writeUInt32LE(word, 4 + index * 4);
  return Buffer.concat([header, types, text]);
}
