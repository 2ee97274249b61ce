"""The process that makes pictures: it answers, has limits, and is replaced when content breaks it."""

import asyncio
from pathlib import Path

import pytest

from api.media.press import parent
from api.media.press.formats import Refused
from api.media.press.parent import Press
from api.media.press.sizes import pressed
from tests.harness.pictures import bomb, encoded, halves, png

HANGS = "import time\ntime.sleep(60)"
DIES = "import os\nos.kill(os.getpid(), 11)"
LIES = "import sys, struct\nsys.stdout.buffer.write(struct.pack('>II', 2**31, 5))\nsys.stdout.flush()\ninput()"


async def test_it_makes_what_is_made_here() -> None:
    press = Press()
    try:
        content = encoded(halves(900, 700), "JPEG")
        assert await press.pressed(content) == pressed(content)
        with pytest.raises(Refused, match="pixels"):
            await press.pressed(bomb(30_000, 30_000))
        with pytest.raises(Refused, match="must be a picture"):
            await press.pressed(b"<svg/>")
        several = await asyncio.gather(*(press.pressed(png(20 + n, 10)) for n in range(5)))
        assert [one.width for one in several] == [20, 21, 22, 23, 24]
    finally:
        await press.close()


@pytest.mark.parametrize(("program", "why"), [(HANGS, "takes too long"), (DIES, "cannot be"), (LIES, "cannot be")])
async def test_what_breaks_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, why: str) -> None:
    (tmp_path / "broken_press.py").write_text(program)
    monkeypatch.setattr(parent, "ROOT", tmp_path)
    press = Press("broken_press", seconds=1.0)
    with pytest.raises(Refused, match=why):
        await press.pressed(png())
    monkeypatch.undo()
    press._module, press._seconds = "api.media.press.child", 30.0  # noqa: SLF001 - the same press, and a child that works

    assert (await press.pressed(png())).width == 64
    await press.close()


async def test_the_process_has_no_key_and_a_limit_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUK_SECRET_KEY", "not for it")
    press = Press()
    await press.pressed(png())
    child = press._child  # noqa: SLF001 - the process itself
    assert child is not None

    of_child = Path(f"/proc/{child.pid}")
    environment, limits = (of_child.joinpath(name).read_bytes() for name in ("environ", "limits"))
    assert b"not for it" not in environment
    space = next(line for line in limits.splitlines() if line.startswith(b"Max address space"))
    assert int(space.split()[3]) == 1024**3
    await press.close()
    assert child.returncode is not None
