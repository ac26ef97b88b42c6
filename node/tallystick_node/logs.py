"""The node's log: one event a line to stderr, as JSON for machines or in columns for people.

Events are for operators: roles, refusals, alarms, starts and stops. Nothing is logged per message
or block; what happens often is counted in the metrics. No key, seed or record content is ever
logged.
"""

import logging
import sys
from typing import Final

import structlog

from tallystick_node.config import LogSettings

_LEVELS: Final = logging.getLevelNamesMapping()


def configure_logs(settings: LogSettings, raft_id: int) -> None:
    """Set the process's log up; every line names the node.

    Args:
        settings: level and format.
        raft_id: this node.
    """
    renderer = (
        structlog.processors.JSONRenderer()
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )

    def name_node(
        _logger: object, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event["node"] = raft_id
        return event

    structlog.configure(
        processors=[
            name_node,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
