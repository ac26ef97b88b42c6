"""Writes `execution*.json`: `python -m tests.vectors.execution_cases`. EXECUTION.md describes them.

`execution.json` is a story with a note to each block. `execution_random.json` holds random hostile
blocks as the differential campaign makes them, for what nobody thinks of.
"""

import json
from pathlib import Path
from random import Random
from typing import Final

from tests.differential.generator import random_block
from tests.differential.population import World, first_block, random_genesis
from tests.vectors import execution_story
from tests.vectors.fixed import Json

from tallystick_ledger.spec import State, apply_block

DIRECTORY: Final = Path(__file__).resolve().parent
RANDOM_SEED: Final = 20_261_125
RANDOM_BLOCKS: Final = 16


def random_blocks() -> Json:
    """Returns the content of `execution_random.json`."""
    rng = Random(RANDOM_SEED)
    genesis = random_genesis(rng)
    state = State.from_genesis(genesis)
    world = World(rng, state)
    blocks = []
    for number in range(RANDOM_BLOCKS):
        block = random_block(world) if number else first_block(world)
        data = block.encode(genesis.ledger_id, state.next_sequence_number)
        applied = apply_block(state, data, world.postings.of(data))
        world.postings.add(data, applied.results, applied.effects, applied.effect_counts)
        blocks.append(
            {"note": f"random {number}", **execution_story.described(state, data, applied)}
        )
    return {
        "section": "semantics",
        "genesis": genesis.encode().hex(),
        "ledger_id": genesis.ledger_id.hex(),
        "signatures": "noise",
        "blocks": blocks,
    }


def render() -> dict[str, str]:
    """Returns the text of both files, by its name."""
    files = {
        "execution.json": execution_story.render(),
        "execution_random.json": random_blocks(),
    }
    return {name: json.dumps(content, indent=1) + "\n" for name, content in files.items()}


def main() -> None:
    """Writes the files."""
    for name, text in render().items():
        (DIRECTORY / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
