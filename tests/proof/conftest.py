"""The proofs stand on the same operator as the integration tests."""

from __future__ import annotations

from integration.conftest import lamassu, operator

__all__ = ["lamassu", "operator"]
