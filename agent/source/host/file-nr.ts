// 1744	0	2466160
import { decimal, fieldsOf } from "./fields.ts";

/** /proc/sys/fs/file-nr (proc_sys_fs(5)). */
export interface OpenFileTable {
  readonly allocated: number;
  readonly maximum: number;
}

export function parseFileNr(text: string): OpenFileTable | undefined {
  const [allocated, , maximum] = fieldsOf(text).map(decimal);
  return allocated === undefined || maximum === undefined ? undefined : { allocated, maximum };
}
