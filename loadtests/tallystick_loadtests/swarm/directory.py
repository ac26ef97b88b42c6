"""The directory that tells locust processes whom to load, and takes what they have to report.

::

    DIR/load.json            endpoints and genesis
    DIR/ca.pem               certificates to trust
    DIR/population.json      who pays, with their keys
    DIR/told-PID.json        what one process did: `Told`
    DIR/acknowledged-PID     SHA-256 of the header of each acknowledged envelope, 32 bytes each

A copy of the first three is all that a locust worker on another machine needs.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from tallystick_ledger.limits import HASH_BYTES
from tallystick_loadtests.connection import Target
from tallystick_loadtests.errors import LoadNotPreparedError
from tallystick_loadtests.population import Population

# Environment variable that names the directory to locust processes.
DIRECTORY_VARIABLE: Final = "TALLYSTICK_LOAD_DIR"
_LOAD: Final = "load.json"
_CA: Final = "ca.pem"
_POPULATION: Final = "population.json"


@dataclass(frozen=True, slots=True)
class Told:
    """What one locust process tells when it ends.

    Attributes:
        signed: Envelopes that it signed before its users started.
        signed_late: Envelopes that it had to sign while they ran; those were slowed down by it.
        cpu_s: User and system time while they ran.
        wall_s: For how long they ran.
        transfers: That were answered OK.
    """

    signed: int
    signed_late: int
    cpu_s: float
    wall_s: float
    transfers: int


@dataclass(frozen=True, slots=True)
class LoadDirectory:
    """A prepared load.

    Attributes:
        path: Where it is.
        target: The ledger.
        population: Who pays.
    """

    path: Path
    target: Target
    population: Population

    @classmethod
    def write(cls, path: Path, target: Target, population: Population) -> Self:
        """Writes what `open` reads."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = {"endpoints": list(target.endpoints), "genesis": target.genesis.hex()}
        (path / _LOAD).write_text(json.dumps(content, indent=1) + "\n")
        (path / _CA).write_bytes(target.ca_pem)
        population.write(path / _POPULATION)
        return cls(path, target, population)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Reads a prepared load.

        Raises:
            LoadNotPreparedError: There is none.
        """
        try:
            content = json.loads((path / _LOAD).read_text())
            population = Population.read(path / _POPULATION)
            ca_pem = (path / _CA).read_bytes()
        except FileNotFoundError as error:
            message = (
                f"{error.filename} is missing: prepare a load with "
                "`python -m tallystick_loadtests.swarm prepare`"
            )
            raise LoadNotPreparedError(message) from error
        target = Target(tuple(content["endpoints"]), ca_pem, bytes.fromhex(content["genesis"]))
        return cls(path, target, population)

    @classmethod
    def from_environment(cls) -> Self:
        """Reads the load that the environment names.

        Raises:
            LoadNotPreparedError: It names none.
        """
        path = os.environ.get(DIRECTORY_VARIABLE)
        if not path:
            message = f"set {DIRECTORY_VARIABLE} to a directory with a prepared load"
            raise LoadNotPreparedError(message)
        return cls.open(Path(path))

    def tell(self, told: Told, acknowledged: list[bytes]) -> None:
        """Leaves what this process has to report."""
        (self.path / f"told-{os.getpid()}.json").write_text(json.dumps(asdict(told)))
        (self.path / f"acknowledged-{os.getpid()}").write_bytes(b"".join(acknowledged))

    def told(self) -> list[Told]:
        """What all processes reported; those without users of their own stay silent."""
        paths = sorted(self.path.glob("told-*.json"))
        return [Told(**json.loads(path.read_text())) for path in paths]

    def acknowledged(self) -> list[bytes]:
        """Header digests of all envelopes that were acknowledged to any process."""
        digests: list[bytes] = []
        for path in sorted(self.path.glob("acknowledged-*")):
            content = path.read_bytes()
            digests += [content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES)]
        return digests
