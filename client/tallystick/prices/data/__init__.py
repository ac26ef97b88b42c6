"""Public price books that come with the package; NOTICE.md names their sources.

| file | what | from, licence |
|---|---|---|
| litellm-1.109.1.json.gz | price book of 4,553 entries | BerriAI/litellm, MIT |
| genai-prices-data.v2.json.gz | price book of 1,466 models | pydantic/genai-prices, MIT |

Prices in these files are what their authors collected on a day; they are no offer of anybody.
"""

import gzip
from importlib.resources import files
from typing import Final

LITELLM: Final = "litellm-1.109.1.json.gz"
GENAI: Final = "genai-prices-data.v2.json.gz"


def read(name: str) -> bytes:
    """One of the files, unpacked."""
    return gzip.decompress(files(__package__).joinpath(name).read_bytes())
