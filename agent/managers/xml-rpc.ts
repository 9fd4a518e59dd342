// <?xml version='1.0'?><methodResponse><params><param>
// <value><struct><member><name>pid</name><value><int>12</int></value></member></struct></value>
// </param></params></methodResponse>
import sax from "sax";

/** What the types of XML-RPC (http://xmlrpc.com/spec.md) come to; dates and base64 stay text. */
export type RpcValue = string | number | boolean | null | readonly RpcValue[] | ReadonlyMap<string, RpcValue>;

export type RpcAnswer =
  | { readonly value: RpcValue }
  | { readonly fault: { readonly code: number; readonly text: string } };

export function writeCall(method: string, params: readonly (string | boolean)[]): string {
  const written = params.map((param) =>
    typeof param === "string"
      ? `<param><value><string>${escapeXml(param)}</string></value></param>`
      : `<param><value><boolean>${param ? 1 : 0}</boolean></value></param>`,
  );
  return `<?xml version="1.0"?><methodCall><methodName>${escapeXml(method)}</methodName><params>${written.join("")}</params></methodCall>`;
}

const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Undefined when the text is no answer of XML-RPC. No document type and no entities but XML's five are taken. */
export function parseAnswer(text: string): RpcAnswer | undefined {
  const root = readElements(text);
  if (root?.name !== "methodResponse") return undefined;
  const fault = childOf(childOf(root, "fault"), "value");
  if (fault !== undefined) {
    const value = toValue(fault);
    if (!(value instanceof Map)) return undefined;
    const [code, told] = [value.get("faultCode"), value.get("faultString")];
    return typeof code === "number"
      ? { fault: { code, text: typeof told === "string" ? told : "" } }
      : undefined;
  }
  const element = childOf(childOf(childOf(root, "params"), "param"), "value");
  const value = element && toValue(element);
  return value === undefined ? undefined : { value };
}

interface Element {
  readonly name: string;
  readonly children: Element[];
  text: string;
}

const maxDepth = 40;
const mostElements = 200_000;

function readElements(text: string): Element | undefined {
  const top: Element = { name: "", children: [], text: "" };
  const open = [top];
  let elements = 0;
  // strictEntities is not in the types: without it, the parser knows those of HTML.
  const options: sax.SAXOptions & { readonly strictEntities: boolean } = {
    strictEntities: true,
    position: false,
  };
  const parser = sax.parser(true, options);
  const refuse = (error: unknown): never => {
    throw error;
  };
  parser.onerror = refuse;
  parser.ondoctype = () => refuse(new Error("a document type is not taken"));
  parser.onopentag = ({ name }) => {
    if (open.length > maxDepth || ++elements > mostElements) refuse(new Error("too much of it"));
    const element = { name, children: [], text: "" };
    open.at(-1)?.children.push(element);
    open.push(element);
  };
  parser.onclosetag = () => open.pop();
  parser.ontext = parser.oncdata = (more) => {
    const element = open.at(-1);
    if (element !== undefined) element.text += more;
  };
  try {
    parser.write(text).close();
  } catch {
    // Any bytes may come; that they are no XML is the answer here.
    return undefined;
  }
  return top.children[0];
}

function childOf(element: Element | undefined, name: string): Element | undefined {
  return element?.children.find((child) => child.name === name);
}

/** Undefined when an element's content does not fit its type. */
function toValue(element: Element): RpcValue | undefined {
  const [typed] = element.children;
  if (typed === undefined) return element.text;
  switch (typed.name) {
    case "int":
    case "i4":
    case "i8":
      return /^\s*[-+]?\d{1,19}\s*$/.test(typed.text) ? Number(typed.text) : undefined;
    case "double":
      return typed.text.trim() !== "" && Number.isFinite(Number(typed.text)) ? Number(typed.text) : undefined;
    case "boolean":
      return /^\s*[01]\s*$/.test(typed.text) ? Number(typed.text) === 1 : undefined;
    case "nil":
      return null;
    case "array":
      return allOf(childOf(typed, "data")?.children.map(toValue));
    case "struct":
      return toStruct(typed);
    case "string":
    case "base64":
    case "dateTime.iso8601":
      return typed.text;
    default:
      return undefined;
  }
}

function allOf(values: readonly (RpcValue | undefined)[] | undefined): readonly RpcValue[] | undefined {
  const known = values?.filter((value) => value !== undefined);
  return known?.length === values?.length ? known : undefined;
}

function toStruct(element: Element): ReadonlyMap<string, RpcValue> | undefined {
  const members = new Map<string, RpcValue>();
  for (const member of element.children) {
    const value = childOf(member, "value");
    const told = value && toValue(value);
    if (told === undefined) return undefined;
    members.set(childOf(member, "name")?.text.trim() ?? "", told);
  }
  return members;
}
