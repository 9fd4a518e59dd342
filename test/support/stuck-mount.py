# python3 stuck-mount.py FOLDER SIGNAL-FILE PROGRAM ARGUMENT…
# Runs the program in mount and PID namespaces of its own, where FOLDER is a file system that answers nothing, as one
# whose server is away, until SIGNAL-FILE is there. Speaks the protocol of fuse(4) as far as statfs(2) needs it.
import ctypes, os, signal, struct, subprocess, sys, time

CLONE_NEWNS, CLONE_NEWPID = 0x00020000, 0x20000000
MS_REC_PRIVATE = 0x4000 | 0x40000
PR_SET_PDEATHSIG = 1
FUSE_STATFS, FUSE_INIT = 17, 26
ENOSYS = 38

folder, sign, *command = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)


def check(what, result):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


check("unshare", libc.unshare(CLONE_NEWNS | CLONE_NEWPID))
first = os.fork()
if first != 0:
    # Ended, it takes the namespace with it.
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) & 255)

libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
check("private", libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None))
check("proc", libc.mount(b"proc", b"/proc", b"proc", 0, None))
device = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
check("fuse", libc.mount(b"server:/share", folder.encode(), b"fuse.stuck", 0, options.encode()))
subprocess.Popen(command)
while not os.path.exists(sign):
    time.sleep(0.05)
while True:
    request = os.read(device, 1 << 17)
    _, opcode, unique = struct.unpack_from("<IIQ", request)
    if opcode == FUSE_INIT:
        error, body = 0, struct.pack("<4I2H2I8I", 7, 31, 0, 0, 0, 0, 1 << 16, 1, *[0] * 8)
    elif opcode == FUSE_STATFS:
        error, body = 0, struct.pack("<5Q10I", 1000, 600, 500, 64, 32, 4096, 255, 4096, *[0] * 7)
    else:
        error, body = -ENOSYS, b""
    os.write(device, struct.pack("<IiQ", 16 + len(body), error, unique) + body)
