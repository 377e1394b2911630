"""One exchange, judged by every rule that a single exchange can break."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stateless.judge.limits import judge_memory
from pytest_stateless.judge.merge import merge
from pytest_stateless.judge.survivors import judge_survivors
from pytest_stateless.judge.writes import judge_writes

if TYPE_CHECKING:
    from pytest_stateless.judge.context import ExchangeContext
    from pytest_stateless.model.finding import Finding
    from pytest_stateless.model.observation import Observations


def judge_exchange(observations: Observations, context: ExchangeContext) -> tuple[Finding, ...]:
    """Judge what an instance saw in one exchange.

    Sizes of bodies and time-outs are seen from outside; see `judge_payload`, `judge_timeout`.

    Args:
        observations: What the instance saw.
        context: What else is known of the exchange.

    Returns:
        The findings, one for each rule and place, causes before consequences.
    """
    memory = judge_memory(observations.peak_bytes, context=context, place=observations.app_place)
    return merge((
        *judge_writes(observations, context),
        *judge_survivors(observations, context),
        *((memory,) if memory else ()),
    ))
