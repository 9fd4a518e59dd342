import { createAssembler } from "./assembler.ts";
import type { Btf } from "./btf.ts";
import { makeRecord, recordAt, taskSlots } from "./process-record.ts";
import { getField } from "./record-fields.ts";
import { type ThreadVisit, threadVisitOf } from "./thread-sums.ts";

// include/uapi/linux/bpf.h, enum bpf_func_id
const BPF_FUNC_seq_write = 127;

/**
 * The program that the kernel runs for each thread of the host (Documentation/bpf/bpf_iterators.rst): for the first thread of a
 * process it writes its record.
 * @throws AgentError `unavailable` that names the field which this kernel has not
 */
export function assembleTaskIterator(btf: Btf, visit: ThreadVisit = threadVisitOf(btf)): Buffer {
  const code = createAssembler();
  // r6 context { meta, task }, r7 the thread
  code.move("r6", "r1");
  code.load("r7", "r6", 8, 8);
  code.jumpIfEqual("r7", 0, "end");
  code.load("r1", "r7", getField(btf, "pid", "task_struct", ["pid"]).offset, 4);
  code.load("r2", "r7", getField(btf, "tgid", "task_struct", ["tgid"]).offset, 4);
  code.jumpIfNotEqual("r1", "r2", "end");
  makeRecord(code, btf, visit);
  code.load("r1", "r6", 0, 8);
  code.load("r1", "r1", getField(btf, "seq", "bpf_iter_meta", ["seq"]).offset, 8);
  code.move("r2", "r10");
  code.add("r2", recordAt);
  code.move("r3", taskSlots * 8);
  code.call(BPF_FUNC_seq_write);
  code.label("end");
  code.move("r0", 0);
  code.exit();
  return code.assemble();
}
