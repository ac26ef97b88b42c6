r"""Public usage data that the demos settle: what each file is, and how to make it again.

| file | what | from, licence |
|---|---|---|
| azure-llm-2023-conv.csv.gz | first 12,000 of 19,366 requests | Azure/AzurePublicDataset, CC-BY |
| mooncake-fast25-conversation.csv.gz | 12,031 requests, derived | kvcache-ai/Mooncake, Apache-2.0 |
| servegen-m-small-clients.json | weights of 43 clients, derived | alibaba/ServeGen, Apache-2.0 |

NOTICE.md beside the files names commits, authors and changes. `arrivals` has the script that made
the second; the other two come out of this one:

    import csv, gzip, io, json, tarfile
    from decimal import Decimal
    from pathlib import Path

    text = gzip.open("AzureLLMInferenceTrace_conv.csv.gz").read()
    first = b"\r\n".join(text.split(b"\r\n")[:12_001]) + b"\r\n"
    Path("azure-llm-2023-conv.csv.gz").write_bytes(gzip.compress(first, 9, mtime=0))

    clients = []
    with tarfile.open("m-small-traces.tar.gz") as archive:   # data/language/m-small/*-trace.csv
        for member in (each for each in archive if each.name.endswith("-trace.csv")):
            lines = io.TextIOWrapper(archive.extractfile(member))
            requests = 600 * sum(Decimal(row[1]) for row in csv.reader(lines))  # windows of 600 s
            number = int(member.name.split("chunk-")[1].split("-")[0])
            clients.append({"client": number, "requests": round(requests)})
    clients.sort(key=lambda each: -each["requests"])
    print(json.dumps({"clients": clients}))

The trace's lines end in CRLF; its timestamps have seven fractional digits and no zone, and nothing
here reads them.
"""

import csv
import gzip
import io
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from tallystick_cluster.errors import DataError

TRACE_FILE: Final = "azure-llm-2023-conv.csv.gz"
WEIGHTS_FILE: Final = "servegen-m-small-clients.json"
TRACE_ROWS: Final = 12_000
_COLUMNS: Final = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]


@dataclass(frozen=True, slots=True)
class Usage:
    """One request of the trace.

    Attributes:
        number: Its row in the trace, from 1.
        context_tokens: Tokens that went in.
        generated_tokens: Tokens that came out.
    """

    number: int
    context_tokens: int
    generated_tokens: int

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.context_tokens + self.generated_tokens


@dataclass(frozen=True, slots=True)
class ClientWeight:
    """One client of ServeGen's population.

    Attributes:
        client: Its number there.
        requests: What it sent in 14 days.
    """

    client: int
    requests: int


def load_usage(count: int) -> tuple[Usage, ...]:
    """Reads the first requests of the trace, in order.

    Args:
        count: How many, 1 to `TRACE_ROWS`.

    Raises:
        DataError: There are not so many, or the file is not what it should be.
    """
    if not 1 <= count <= TRACE_ROWS:
        message = f"the trace in this package has {TRACE_ROWS:,} requests; {count:,} were asked for"
        raise DataError(message)
    packed = files(__package__).joinpath(TRACE_FILE).read_bytes()
    lines = csv.reader(io.StringIO(gzip.decompress(packed).decode("ascii"), newline=""))
    if next(lines) != _COLUMNS:
        raise DataError(f"the columns of {TRACE_FILE} are not {', '.join(_COLUMNS)}")
    usage = tuple(
        Usage(number, int(context), int(generated))
        for number, (_, context, generated) in zip(range(1, count + 1), lines, strict=False)
    )
    if len(usage) != count:
        raise DataError(f"{TRACE_FILE} ends after {len(usage):,} requests")
    return usage


def load_weights() -> tuple[ClientWeight, ...]:
    """Reads the weights, the largest client first."""
    content = json.loads(files(__package__).joinpath(WEIGHTS_FILE).read_text("utf-8"))
    return tuple(ClientWeight(each["client"], each["requests"]) for each in content["clients"])
