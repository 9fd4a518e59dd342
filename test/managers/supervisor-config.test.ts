import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Ini, optionOf, parseIni } from "../../agent/managers/ini.ts";
import { readSupervisorConfig } from "../../agent/managers/supervisor-config.ts";

function read(
  files: Readonly<Record<string, string>>,
  paths = ["/etc/supervisord.conf"],
  environ: readonly string[] = [],
) {
  return readSupervisorConfig(paths, {
    files: {
      read: (path, maxBytes) => {
        const text = files[path];
        return text === undefined ? undefined : Buffer.from(text).subarray(0, maxBytes);
      },
      list: (folder) => {
        const below = Object.keys(files).filter((path) =>
          path.startsWith(folder === "/" ? "/" : `${folder}/`),
        );
        return [
          ...new Set(
            below.map((path) => path.slice(folder === "/" ? 1 : folder.length + 1).split("/")[0] ?? ""),
          ),
        ];
      },
    },
    cwd: "/srv",
    environ,
  });
}

const config = (text: string, environ: readonly string[] = []) =>
  read({ "/etc/supervisord.conf": text }, undefined, environ);

test("comments, continued lines, indents, defaults and small letters are read as Python's configparser reads them", () => {
  const ini: Ini = new Map();
  parseIni(
    [
      "; a comment",
      "lost = 1",
      "[DEFAULT]",
      "shared: yes",
      "[a b]  ; one more",
      "  File = /x;y ; z",
      "  other = 1#2 # 3",
      "  list = a",
      "    b ; and",
      "",
      "    c",
      "nothing",
      "empty =",
      "[a b]",
      "other = 4",
    ].join("\r\n"),
    ini,
  );
  expect(Object.fromEntries(ini.get("a b") ?? [])).toEqual({
    file: "/x;y",
    other: "4",
    list: "a\nb\nc",
    empty: "",
  });
  expect(optionOf(ini, "a b", "shared")).toBe("yes");
});

test("the first file that is there is read; none is undefined", () => {
  const files = {
    "/b.conf": "[unix_http_server]\nfile=/b.sock",
    "/c.conf": "[unix_http_server]\nfile=/c.sock",
  };
  expect(read(files, ["/a.conf", "/b.conf", "/c.conf"])?.servers).toEqual([
    { kind: "unix", path: "/b.sock", credentials: null },
  ]);
  expect(read(files, ["/a.conf"])).toBeUndefined();
});

test("paths are relative to the working directory; here and the environment are put in", () => {
  const file = (text: string, environ: readonly string[] = []) => {
    const [server] = config(`[unix_http_server]\nfile=${text}`, environ)?.servers ?? [];
    return server?.kind === "unix" ? server.path : undefined;
  };
  expect(file("super.sock")).toBe("/srv/super.sock");
  expect(file("%(here)s/super.sock")).toBe("/etc/super.sock");
  expect(file("%(ENV_RUN)s/100%%.sock", ["RUN=/run/a=b"])).toBe("/run/a=b/100%.sock");
  expect(config("[unix_http_server]\nfile=%(ENV_GONE)s/x")).toEqual({
    servers: [],
    obstacles: ["[unix_http_server] file has a part that cannot be told", "[unix_http_server] has no file"],
  });
});

test("files that are included count in the order of their names, each with its own folder", () => {
  const files = {
    "/etc/supervisord.conf": "[include]\nfiles = conf.d/*.conf\n  /opt/?/x.ini",
    "/etc/conf.d/b.conf": "[unix_http_server]\nfile=%(here)s/b.sock",
    "/etc/conf.d/a.conf": "[unix_http_server]\nfile=/a.sock\nusername=u\npassword=p",
    "/etc/conf.d/.hidden.conf": "[unix_http_server]\nfile=/hidden.sock",
    "/opt/1/x.ini": "[inet_http_server]\nport=9001",
    "/opt/22/x.ini": "[inet_http_server]\nport=9002",
  };
  expect(read(files)?.servers).toEqual([
    { kind: "unix", path: "/etc/conf.d/b.sock", credentials: { user: "u", password: "p" } },
    { kind: "inet", address: "127.0.0.1", port: 9001, credentials: null },
  ]);
});

test("addresses are read; what cannot be connected to says why", () => {
  const server = (port: string) => config(`[inet_http_server]\nport=${port}`);
  for (const port of ["9001", ":9001", "*:9001", "localhost:9001", "0.0.0.0:9001"])
    expect(server(port)?.servers).toEqual([
      { kind: "inet", address: "127.0.0.1", port: 9001, credentials: null },
    ]);
  expect(server("10.1.2.3:80")?.servers).toMatchObject([{ address: "10.1.2.3", port: 80 }]);
  for (const port of ["", "x", "70000", "0", "db:9001", "1.2.3.4.5:1", "1.2.3.256:1", "[::1]:9001"]) {
    expect(server(port)?.servers).toEqual([]);
    expect(server(port)?.obstacles).toHaveLength(1);
  }
});

test("a password's hash is not a password", () => {
  const text =
    "[unix_http_server]\nfile=/s\nusername=u\npassword={SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d";
  expect(config(text)).toEqual({
    servers: [],
    obstacles: ["[unix_http_server] has only the password's hash ({SHA}…), and the password is needed"],
  });
});

test("any text is a configuration, and is read in a time that its length explains", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string(), (text, port) => {
      expect(config(`${text}\n[inet_http_server]\nport=${port}\n${text}`)).toBeDefined();
    }),
  );
  const size = 200_000;
  for (const part of ["%(", " ", "=", "\n ", "[", " ;", "*a", "*"]) {
    const text = part.repeat(size / part.length);
    expect(config(`[include]\nfiles=${text}\n[unix_http_server]\nfile=${text}`)).toBeDefined();
    expect(config(`[unix_http_server]\nfile=x\n${text}`)).toBeDefined();
  }
});
