/**
 * A program of Python that runs another one on a terminal of its own of 24 lines and 80 columns: `python3 -c ON_TERMINAL STEPS ARGV...`. Each step is
 * a pattern and what is typed when what was said matches it; `{"columns": 60}` in place of that makes the terminal so wide. Prints what was
 * said, and how it ended, as JSON.
 */
export const ON_TERMINAL: string = `
import fcntl, json, os, pty, re, select, struct, sys, termios, time
steps, argv = json.loads(sys.argv[1]), sys.argv[2:]
pid, fd = pty.fork()
def resize(columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
if pid == 0:
    time.sleep(0.1)
    os.execvp(argv[0], argv)
resize(80)
said, seen, end = b"", 0, time.monotonic() + 100
while time.monotonic() < end:
    if not select.select([fd], [], [], 0.2)[0]:
        continue
    try:
        piece = os.read(fd, 65536)
    except OSError:
        break
    if not piece:
        break
    said += piece
    found = re.search(steps[0][0].encode(), said[seen:]) if steps else None
    if found:
        seen += found.end()
        what = steps.pop(0)[1]
        if isinstance(what, dict):
            resize(what["columns"])
        else:
            os.write(fd, what.encode())
else:
    os.kill(pid, 9)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps({"said": said.decode(errors="replace"), "status": status, "left": len(steps)}))
`;
