"""Throughput against latency, as a picture."""

from pathlib import Path
from typing import Any

LINES = (("p50", "#1f6f8b", "median"), ("p99", "#c8553d", "99th percentile"))


def plot_sweep(content: dict[str, Any], path: Path) -> None:
    """Draws a sweep's file as a PNG.

    Args:
        content: What `sweep-PROFILE.json` holds.
        path: Where the picture goes.
    """
    import matplotlib as mpl  # noqa: PLC0415 - takes a second to load, and only sweeps need it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - as above
    from matplotlib.ticker import EngFormatter, FuncFormatter  # noqa: PLC0415 - as above

    figure, axes = plt.subplots(figsize=(8, 4.8), layout="constrained")
    points = content["points"]
    for key, colour, label in LINES:
        rates = [point["transfers_per_s"] for point in points]
        latencies = [point["latency_ms"][key] for point in points]
        axes.plot(rates, latencies, color=colour, label=label, zorder=2)
        for rate, latency, point in zip(rates, latencies, points, strict=True):
            fill = colour if point["reached"] else "white"
            axes.plot(rate, latency, "o", color=colour, markerfacecolor=fill, zorder=3)
    limit = content["closed"]["transfers_per_s"]
    axes.axvline(limit, color="#888888", linestyle=":", zorder=1)
    axes.annotate(
        "closed loop",
        (limit, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-4, -4),
        textcoords="offset points",
        ha="right",
        va="top",
        rotation=90,
        color="#666666",
    )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_major_formatter(EngFormatter())
    axes.set_xlim(left=0)
    axes.set_xlabel("transfers per second made (hollow: the offered rate was not reached)")
    axes.set_ylabel("latency from when a message was due, ms")
    axes.set_title(
        f"{content['profile']}, {content['nodes']} nodes, {content['seconds']:g} s a point"
    )
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=110)
    plt.close(figure)
