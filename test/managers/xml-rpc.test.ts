import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseAnswer, writeCall } from "../../agent/managers/xml-rpc.ts";

const answer = (value: string): string =>
  `<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>${value}</value>\n</param>\n</params>\n</methodResponse>\n`;

test("values of every type are read", () => {
  const value = (text: string) => {
    const read = parseAnswer(answer(text));
    return read !== undefined && "value" in read ? read.value : undefined;
  };
  expect(value("<int>-12</int>")).toBe(-12);
  expect(value("<i4> 3 </i4>")).toBe(3);
  expect(value("<boolean>1</boolean>")).toBe(true);
  expect(value("<double>1.5</double>")).toBe(1.5);
  expect(value("<string>a &lt;b&gt; &amp; &#233;</string>")).toBe("a <b> & é");
  expect(value("bare")).toBe("bare");
  expect(value("<string></string>")).toBe("");
  expect(value("<nil/>")).toBeNull();
  expect(value("<array><data><value><int>1</int></value><value>x</value></data></array>")).toEqual([1, "x"]);
  expect(
    value(
      "<struct><member><name>a</name><value><int>1</int></value></member><member><name>__proto__</name><value>x</value></member></struct>",
    ),
  ).toEqual(
    new Map<string, unknown>([
      ["a", 1],
      ["__proto__", "x"],
    ]),
  );
});

test("a fault is read with its code and text", () => {
  const struct =
    "<struct><member><name>faultCode</name><value><int>10</int></value></member><member><name>faultString</name><value><string>BAD_NAME: web</string></value></member></struct>";
  expect(parseAnswer(`<methodResponse><fault><value>${struct}</value></fault></methodResponse>`)).toEqual({
    fault: { code: 10, text: "BAD_NAME: web" },
  });
  expect(parseAnswer("<methodResponse><fault><value>x</value></fault></methodResponse>")).toBeUndefined();
});

test("what is no answer is undefined: other documents, types, entities, depths and sizes", () => {
  const bomb = `<!DOCTYPE x [<!ENTITY a "${"b".repeat(100)}">]>`;
  for (const text of [
    "",
    "<html><body>It works!</body></html>",
    answer("<int>x</int>"),
    answer("<boolean>2</boolean>"),
    answer("<double></double>"),
    answer("<date>1</date>"),
    answer("<array></array>").slice(0, -20),
    answer("&a;"),
    answer("&eacute;"),
    bomb + answer("&a;"),
    answer("<array><data><value>".repeat(100)),
    answer(`<array><data>${"<value/>".repeat(200_001)}</data></array>`),
    "<methodResponse><params/></methodResponse>",
  ])
    expect(parseAnswer(text)).toBeUndefined();
});

test("any text has an answer or none", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      parseAnswer(text);
      parseAnswer(answer(text));
    }),
  );
});

test("what is written is what a parser reads, whatever the program's name", () => {
  expect(writeCall("supervisor.stopProcess", ["a<b&c", true])).toBe(
    '<?xml version="1.0"?><methodCall><methodName>supervisor.stopProcess</methodName><params><param><value><string>a&lt;b&amp;c</string></value></param><param><value><boolean>1</boolean></value></param></params></methodCall>',
  );
  fc.assert(
    fc.property(fc.string(), (name) => {
      const written = writeCall("m", [name])
        .replace(/methodCall>/g, "methodResponse>")
        .replace("<methodName>m</methodName>", "");
      expect(parseAnswer(written)).toEqual({ value: name });
    }),
  );
});
