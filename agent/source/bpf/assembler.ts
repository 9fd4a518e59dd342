// eBPF instructions (Documentation/bpf/standardization/instruction-set.rst), eight bytes each:
// u8 opcode; u8 dst:4, src:4; s16 offset; s32 immediate

/** r0 result · r1–r5 arguments, lost at a call · r6–r9 kept · r10 the frame, read only */
export type Register = "r0" | "r1" | "r2" | "r3" | "r4" | "r5" | "r6" | "r7" | "r8" | "r9" | "r10";
export type Width = 1 | 2 | 4 | 8;

/** Instructions one after the other; labels are resolved at the end. */
export interface Assembler {
  /** dst = src */
  move(dst: Register, src: Register | number): void;
  add(dst: Register, src: Register | number): void;
  subtract(dst: Register, src: Register | number): void;
  and(dst: Register, src: Register | number): void;
  xor(dst: Register, src: Register | number): void;
  shiftRight(dst: Register, bits: number): void;
  multiply(dst: Register, src: Register | number): void;
  /** dst = a 64-bit constant */
  loadConstant(dst: Register, value: bigint): void;
  /** dst = the map behind the descriptor */
  loadMap(dst: Register, mapFd: number): void;
  /** dst = the address of a place in the only value of an array map; since Linux 5.2 */
  loadMapValue(dst: Register, mapFd: number, offset: number): void;
  /** dst = *(base + offset), zero-extended */
  load(dst: Register, base: Register, offset: number, width: Width): void;
  /** *(base + offset) = src */
  store(base: Register, offset: number, src: Register, width: Width): void;
  /** *(u64 *)(base + offset) += src, in one step for all CPUs */
  addAtomically(base: Register, offset: number, src: Register): void;
  jump(label: string): void;
  jumpIfEqual(a: Register, b: Register | number, label: string): void;
  jumpIfNotEqual(a: Register, b: Register | number, label: string): void;
  /** Unsigned. */
  jumpIfGreaterOrEqual(a: Register, b: Register | number, label: string): void;
  label(name: string): void;
  /** A helper by its number (enum bpf_func_id). */
  call(helper: number): void;
  /** A function that the kernel exports to programs (Documentation/bpf/kfuncs.rst), by its BTF id. */
  callKernelFunction(btfId: number): void;
  /**
   * A function of the program itself, which begins at a label and ends with `exit`: it has a stack of its own, of the 512 bytes
   * that all share, and is given r1–r5.
   */
  callLabel(label: string): void;
  exit(): void;
  /** @throws RangeError for a label that is not there or too far away */
  assemble(): Buffer;
}

const widthBits: Readonly<Record<Width, number>> = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 };
const fromRegister = 0x08;
/** Source register of a 64-bit constant that says: the constant is a map's descriptor. */
const BPF_PSEUDO_MAP_FD = 1;
/** The same for a place in a map's value. */
const BPF_PSEUDO_MAP_VALUE = 2;
/** Source register of a call that says: the callee is a function of the program, so many instructions away. */
const BPF_PSEUDO_CALL = 1;
/** The same: the callee is a kernel function's BTF id. */
const BPF_PSEUDO_KFUNC_CALL = 2;

export function createAssembler(): Assembler {
  const code: number[] = [];
  const labels = new Map<string, number>();
  const jumps: { at: number; label: string; isCall?: true }[] = [];
  const emit = (opcode: number, dst: number, src: number, offset: number, immediate: number): void => {
    const word = Buffer.alloc(8);
    word.writeUInt8(opcode, 0);
    word.writeUInt8(dst | (src << 4), 1);
    word.writeInt16LE(offset, 2);
    word.writeInt32LE(immediate | 0, 4);
    code.push(...word);
  };
  const arithmetic = (opcode: number, dst: Register, src: Register | number): void => {
    if (typeof src === "number") emit(opcode, numberOf(dst), 0, 0, src);
    else emit(opcode | fromRegister, numberOf(dst), numberOf(src), 0, 0);
  };
  const conditional = (opcode: number, a: Register, b: Register | number, label: string): void => {
    jumps.push({ at: code.length / 8, label });
    arithmetic(opcode, a, b);
  };
  return {
    move: (dst, src) => arithmetic(0xb7, dst, src),
    add: (dst, src) => arithmetic(0x07, dst, src),
    subtract: (dst, src) => arithmetic(0x17, dst, src),
    and: (dst, src) => arithmetic(0x57, dst, src),
    xor: (dst, src) => arithmetic(0xa7, dst, src),
    shiftRight: (dst, bits) => arithmetic(0x77, dst, bits),
    multiply: (dst, src) => arithmetic(0x27, dst, src),
    loadConstant: (dst, value) => {
      emit(0x18, numberOf(dst), 0, 0, Number(BigInt.asIntN(32, value)));
      emit(0, 0, 0, 0, Number(BigInt.asIntN(32, value >> 32n)));
    },
    loadMap: (dst, mapFd) => {
      emit(0x18, numberOf(dst), BPF_PSEUDO_MAP_FD, 0, mapFd);
      emit(0, 0, 0, 0, 0);
    },
    loadMapValue: (dst, mapFd, offset) => {
      emit(0x18, numberOf(dst), BPF_PSEUDO_MAP_VALUE, 0, mapFd);
      emit(0, 0, 0, 0, offset);
    },
    load: (dst, base, offset, width) =>
      emit(0x61 | widthBits[width], numberOf(dst), numberOf(base), offset, 0),
    store: (base, offset, src, width) =>
      emit(0x63 | widthBits[width], numberOf(base), numberOf(src), offset, 0),
    addAtomically: (base, offset, src) => emit(0xdb, numberOf(base), numberOf(src), offset, 0),
    jump: (label) => {
      jumps.push({ at: code.length / 8, label });
      emit(0x05, 0, 0, 0, 0);
    },
    jumpIfEqual: (a, b, label) => conditional(0x15, a, b, label),
    jumpIfNotEqual: (a, b, label) => conditional(0x55, a, b, label),
    jumpIfGreaterOrEqual: (a, b, label) => conditional(0x35, a, b, label),
    label: (name) => {
      if (labels.has(name)) throw new RangeError(`label ${name} stands twice`);
      labels.set(name, code.length / 8);
    },
    call: (helper) => emit(0x85, 0, 0, 0, helper),
    callKernelFunction: (btfId) => emit(0x85, 0, BPF_PSEUDO_KFUNC_CALL, 0, btfId),
    callLabel: (label) => {
      jumps.push({ at: code.length / 8, label, isCall: true });
      emit(0x85, 0, BPF_PSEUDO_CALL, 0, 0);
    },
    exit: () => emit(0x95, 0, 0, 0, 0),
    assemble: () => {
      const program = Buffer.from(code);
      for (const { at, label, isCall } of jumps) {
        const target = labels.get(label);
        if (target === undefined) throw new RangeError(`there is no label ${label}`);
        const distance = target - at - 1;
        if (distance < -32_768 || distance > 32_767) throw new RangeError(`label ${label} is too far away`);
        if (isCall === true) program.writeInt32LE(distance, at * 8 + 4);
        else program.writeInt16LE(distance, at * 8 + 2);
      }
      return program;
    },
  };
}

function numberOf(register: Register): number {
  return Number(register.slice(1));
}
