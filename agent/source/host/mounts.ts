// /dev/vda / ext4 rw,relatime,discard 0 0
// //server/share /srv/with\040blank cifs rw 0 0

/** A line of /proc/PID/mounts (proc_pid_mounts(5)). */
export interface Mount {
  readonly device: string;
  readonly mountPoint: string;
  readonly type: string;
  readonly isReadOnly: boolean;
}

export function parseMounts(text: string): readonly Mount[] {
  return text.split("\n").flatMap((line) => {
    const [device, mountPoint, type, options] = line.split(" ");
    if (device === undefined || mountPoint === undefined || type === undefined || options === undefined)
      return [];
    return [
      { device, mountPoint: unescapeMount(mountPoint), type, isReadOnly: options.split(",").includes("ro") },
    ];
  });
}

/** The kernel writes blank, tab, newline, backslash and # as three octal digits (fs/proc_namespace.c). */
export function unescapeMount(text: string): string {
  return text.includes("\\")
    ? text.replaceAll(/\\([0-3][0-7]{2})/g, (_, digits: string) =>
        String.fromCharCode(Number.parseInt(digits, 8)),
      )
    : text;
}
