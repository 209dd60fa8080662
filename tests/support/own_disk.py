"""A file system that nobody else writes to, in a file: the kernel counts what is written for a device as a whole."""
import contextlib
import os
import subprocess


@contextlib.contextmanager
def own_disk(directory):
    """A directory on a disk of its own, as root and where there is mkfs.ext4; else `directory` itself. With whether it is
    one of its own."""
    image, mounted = directory / "image", directory / "mounted"
    mounted.mkdir()
    with open(image, "wb") as file:
        file.truncate(512 << 20)
    made = False
    if os.geteuid() == 0:
        with contextlib.suppress(FileNotFoundError):  # no mkfs
            made = all(subprocess.run(command, capture_output=True).returncode == 0 for command in (
                ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image],
                ["mount", "-o", "loop", image, mounted]))
    try:
        bench = mounted / "bench"
        bench.mkdir()
        yield bench, made
    finally:
        if made:
            subprocess.run(["umount", mounted], check=True)
