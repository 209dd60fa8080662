"""docs/sluice.1 names each command and each of its options, and is a man page without a fault."""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).parents[2]
SLUICE = os.environ["SLUICE_BIN"]


def help_of(*command):
    return subprocess.run([SLUICE, *command, "--help"], capture_output=True, text=True, check=True).stdout


def commands(*parent):
    """The names of the commands below `parent`, those that do something by themselves."""
    section = help_of(*parent).partition("Subcommands:\n")[2].partition("\n\n")[0]
    names = re.findall(r"^  (\S+)", section, re.M)
    return [each for name in names for each in commands(*parent, name)] if names else [parent]


def page():
    text = (ROOT / "docs/sluice.1").read_text().replace(r"\-", "-")
    return re.sub(r"\\f[BIR]", "", text)


def test_the_page_names_each_command_and_each_option():
    text = page()
    missing = []
    for command in commands():
        name = " ".join(("sluice", *command))
        if command[0] == "uplink":  # "pause|resume"
            name = "sluice uplink"
        if name not in text:
            missing.append(name)
        options = re.findall(r"^  (?:-\w,)?(--[\w-]+)", help_of(*command), re.M)
        assert "--help" in options
        missing += [f"{name} {option}" for option in options if option not in text]
    assert not missing


def test_the_page_is_without_a_fault():
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(ROOT / "docs/sluice.1")],
                          capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert done.stderr == ""
