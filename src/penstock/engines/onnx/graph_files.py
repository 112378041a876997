"""The files beside a graph that hold weights of it."""

from collections.abc import Iterable
from pathlib import Path


def is_of_graph(graph: str, name: str) -> bool:
    """Whether a file beside `graph` belongs to it: exporters name their data files after the graph
    (`model.onnx_data`, `model.onnx.data`), or after a tensor (`Constant_7_attr__value`)."""
    return name.startswith(graph) or "." not in name


def size_bytes(graphs: Iterable[Path]) -> int:
    """Of graphs with their data files."""
    files = {
        file
        for graph in graphs
        for file in graph.parent.iterdir()
        if is_of_graph(graph.name, file.name) and file.is_file()
    }
    return sum(file.stat().st_size for file in files)
