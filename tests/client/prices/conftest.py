"""The two public books, imported once: importing with all policies takes seconds."""

import pytest

from tallystick.prices import Book, Bundled, ImportPolicy, bundled_book

ALL_POLICIES = ImportPolicy(repair=True, free_zeros=True, same_as_parents=True)


@pytest.fixture(scope="session")
def litellm() -> Book:
    return bundled_book(Bundled.LITELLM)


@pytest.fixture(scope="session")
def genai() -> Book:
    return bundled_book(Bundled.GENAI)


@pytest.fixture(scope="session")
def genai_filled() -> Book:
    return bundled_book(Bundled.GENAI, ALL_POLICIES)
