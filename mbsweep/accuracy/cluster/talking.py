"""What the run asks of seats: what they need goes there first, what comes back is kept first. Loads Ray."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from mbsweep.accuracy.cluster.members import TakenSeat, value_of
from mbsweep.accuracy.cluster.parcels import PIECE_BYTES, Parcel, Sender
from mbsweep.accuracy.cluster.seat import Answer
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import write_file

_AT_ONCE = 4  # large files on their way, each with a piece in the object store


class Talking:
    """Of all seats."""

    def __init__(self) -> None:
        self._sender = Sender()
        self._sending, self._fetching = asyncio.Semaphore(_AT_ONCE), asyncio.Semaphore(_AT_ONCE)

    async def answer(self, seat: TakenSeat, method: str, told: dict[str, Any]) -> Any:
        """The value of a seat's answer; the file that goes with it has been written.

        SeatError where there is none, RayError where the seat has gone; MbsweepError, OSError for what is
        wrong on this machine.
        """
        if method == "begin":
            return await self._begin(seat, told)
        if method == "open_supernet":
            return await self._open(seat, told)
        if method == "measure":
            await self._send_dataset(seat, seat.told["dataset"], told["resolution"])
        found = await seat.call(method, *([told] if told else []))
        value = value_of(found)
        if "piece" in found:
            await self._fetch(seat, method, found)
        return value

    async def _begin(self, seat: TakenSeat, told: dict[str, Any]) -> Any:
        seat.told = told
        await self._send_dataset(seat, told["dataset"], told["variant"]["resolution"])
        if "start" in told:
            file = (await self._send_files(seat, told["start"]["files"]))[0]
            told = told | {"start": str(file.parent if told["start"]["is_folder"] else file)}
        checkpoint, offset = await asyncio.to_thread(_read, Path(told["checkpoint"])), 0
        while len(checkpoint) - offset > PIECE_BYTES:
            await seat.value("put", checkpoint[offset : offset + PIECE_BYTES], offset)
            offset += PIECE_BYTES
        return await seat.value("begin", told, checkpoint[offset:], offset)

    async def _open(self, seat: TakenSeat, told: dict[str, Any]) -> Any:
        seat.told = told
        await self._send_dataset(seat, told["dataset"], None)
        (file,) = await self._send_files(seat, [told["checkpoint"]])
        return await seat.value("open_supernet", told | {"checkpoint": str(file)})

    async def _fetch(self, seat: TakenSeat, method: str, found: Answer) -> None:
        """Write the file that came with an answer."""
        path = Path(seat.told["checkpoint" if method == "epoch" else "weights"])
        content: bytes = found["piece"]
        if len(content) < found["bytes"]:
            async with self._fetching:
                pieces = [content]
                while (at := sum(map(len, pieces))) < found["bytes"]:
                    pieces.append(await seat.call("rest", method, at))
                content = b"".join(pieces)
        await asyncio.to_thread(_write, path, content)

    async def _send_dataset(self, seat: TakenSeat, told: dict[str, Any], resolution: int | None) -> None:
        """A data set; its images at a resolution."""
        parcels = await asyncio.to_thread(self._sender.of_dataset, told, resolution)
        await self._send(seat, parcels)

    async def _send_files(self, seat: TakenSeat, paths: list[str]) -> list[Path]:
        """Files of one folder; where they lie in the node's cache."""
        parcels = await asyncio.to_thread(self._sender.of_files, [Path(path) for path in paths])
        await self._send(seat, parcels)
        return [Path(parcel.target) for parcel in parcels]

    async def _send(self, seat: TakenSeat, parcels: list[Parcel]) -> None:
        """Once for all seats of a node; where the one that carries a file fails, the next tries itself."""
        files = seat.member.files
        for parcel in parcels:
            key = f"{parcel.target} {parcel.sha256}"
            while (other := files.get(key)) is not None:
                await asyncio.wait([other])
                if not other.cancelled():
                    break
            else:
                files[key] = arrived = asyncio.get_running_loop().create_future()
                try:
                    await self._carry(seat, parcel)
                    arrived.set_result(None)
                except BaseException:
                    del files[key]
                    arrived.cancel()
                    raise

    async def _carry(self, seat: TakenSeat, parcel: Parcel) -> None:
        if not await seat.value("lacks", parcel.as_dict()):
            return
        async with self._sending:
            with open(parcel.source, "rb") as file:
                while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                    await seat.value("take", piece)
            await seat.value("keep")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # as one that is damaged: the training begins at its beginning


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MbsweepError(f"{path}: cannot be written: {error.strerror or error}") from None
    write_file(path, content)
