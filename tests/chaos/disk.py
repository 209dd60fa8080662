"""The gateway's disk: a file system of its own that can be filled, and lose at once what was not synced."""
import contextlib
import fcntl
import os
import pathlib
import struct
import subprocess

SHUT_DOWN = (2 << 30) | (4 << 16) | (ord("X") << 8) | 125  # EXT4_IOC_SHUTDOWN
WITHOUT_THE_JOURNAL = 2                                     # nothing more reaches the disk, as when the power goes


class Disk:
    """A directory of ext4 on a loop device; `is_own` is False where there is no right to mount: then it is a directory like
    any other, which is neither filled nor cut off."""

    def __init__(self, directory, mebibytes=512):
        self.image, self.path = pathlib.Path(directory) / "image", pathlib.Path(directory) / "disk"
        self.path.mkdir()
        self.is_own = False
        if os.geteuid() == 0:
            with open(self.image, "wb") as file:
                file.truncate(mebibytes << 20)
            with contextlib.suppress(FileNotFoundError, subprocess.CalledProcessError):  # no mkfs, no mount
                self._run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0", self.image)
                self._mount()
                self.is_own = True

    @staticmethod
    def _run(*words):
        subprocess.run([str(word) for word in words], check=True, capture_output=True)

    def _mount(self):
        self._run("mount", "-o", "loop,noatime", self.image, self.path)

    def cut_power(self, end_processes):
        """What was not synced is gone. `end_processes` ends those that have files open on it."""
        directory = os.open(self.path, os.O_RDONLY)
        fcntl.ioctl(directory, SHUT_DOWN, struct.pack("I", WITHOUT_THE_JOURNAL))
        os.close(directory)
        end_processes()
        self._run("umount", self.path)
        self._mount()

    def fill(self):
        """Leaves no room for anybody."""
        with open(self.path / "ballast", "wb") as file:
            for size in (1 << 20, 1 << 16, 1 << 12):
                with contextlib.suppress(OSError):
                    while True:
                        os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, size)

    def empty(self):
        (self.path / "ballast").unlink(missing_ok=True)

    def remove(self):
        if self.is_own:
            subprocess.run(["umount", "-l", str(self.path)], check=False)
            self.image.unlink(missing_ok=True)
