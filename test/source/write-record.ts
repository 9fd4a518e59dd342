import { type TaskSlot, taskSlots, words } from "../../agent/source/bpf/process-record.ts";

/** A record as the kernel's programs write it. */
export function writeRecord(fields: Partial<Record<TaskSlot, bigint>>): Buffer {
  const record = Buffer.alloc(taskSlots * 8);
  for (const [name, value] of Object.entries(fields))
    record.writeBigUInt64LE(value, words[name as TaskSlot] * 4);
  return record;
}
