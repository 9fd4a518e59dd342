// [unix_http_server]
// file=/run/supervisor.sock   ; (the path to the socket file)
// [include]
// files = /etc/supervisor/conf.d/*.conf
//         more/*.ini

/** Section → option in small letters → value; the lines of a value are joined by newlines. */
export type Ini = Map<string, Map<string, string>>;

/**
 * Adds what a file says to what others have said: of two values the later counts.
 * As Python's RawConfigParser does with the comment signs ; and # (configparser), but without its refusals: a line that
 * makes no sense is passed over.
 */
export function parseIni(text: string, into: Ini): void {
  let section: Map<string, string> | undefined;
  let option: string | undefined;
  let optionIndent = 0;
  for (const line of text.split(/\r\n|\r|\n/)) {
    const content = withoutComment(line);
    if (content === "") continue;
    const indent = line.search(/\S/);
    const header = content.startsWith("[") ? content.lastIndexOf("]") : -1;
    if (section !== undefined && option !== undefined && indent > optionIndent) {
      section.set(option, `${section.get(option)}\n${content}`);
    } else if (header > 1) {
      section = sectionOf(into, content.slice(1, header));
      option = undefined;
    } else {
      const end = content.search(/[=:]/);
      if (section === undefined || end < 1) continue;
      option = content.slice(0, end).trim().toLowerCase();
      optionIndent = indent;
      section.set(option, content.slice(end + 1).trim());
    }
  }
}

function sectionOf(ini: Ini, name: string): Map<string, string> {
  const section = ini.get(name) ?? new Map<string, string>();
  ini.set(name, section);
  return section;
}

/** A comment begins at the line's begin or behind white space. */
function withoutComment(line: string): string {
  const start = line.search(/(?<=^|\s)[;#]/);
  return (start < 0 ? line : line.slice(0, start)).trim();
}

/** What `[DEFAULT]` says counts where the section itself has nothing. */
export function optionOf(ini: Ini, section: string, option: string): string | undefined {
  return ini.get(section)?.get(option) ?? ini.get("DEFAULT")?.get(option);
}
