"""Plants a bug: compiles a copy of a source in which one piece has another in its place."""
import json
import pathlib
import shlex
import subprocess

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def commands_of(build, wanted):
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if pathlib.Path(entry["file"]) == SOURCE / wanted:
            return entry
    raise SystemExit(f"{wanted} is not built in {build}")


def mutant_object(build, scratch, name, file, piece, instead):
    """The object file; None, and a word, where the source hasn't the piece exactly once."""
    text = (SOURCE / file).read_text()
    if text.count(piece) != 1:
        print(f"{name}: {file} has the piece {text.count(piece)} times, not once: plant it anew")
        return None
    mutant, made = scratch / f"{name}-{pathlib.Path(file).name}", scratch / f"{name}.o"
    mutant.write_text(text.replace(piece, instead))
    entry = commands_of(build, file)
    arguments = [a for a in shlex.split(entry["command"]) if not a.endswith("ccache")]
    for option, value in (("-o", made), ("-c", mutant), ("-MF", scratch / f"{name}.d"), ("-MT", "d")):
        if option in arguments:
            arguments[arguments.index(option) + 1] = str(value)
    arguments = [a for a in arguments if a != "-Werror"] + ["-w"]
    subprocess.run(arguments, cwd=entry["directory"], check=True)
    return made
