"""Merges the files of a deployment: maps key by key, notifications by name; for the rest the upper file wins."""

from __future__ import annotations

from moorage.deployment_file.yaml_tree import Mapping, Node, Scalar, Sequence

NOTIFICATIONS = "notifications"


def over_file(top: Mapping, base: Mapping) -> Mapping:
    """Return a file merged over another one."""
    merged = _over(top, base)
    above, below = (file.entries.get(NOTIFICATIONS, (None, None))[1] for file in (top, base))
    if isinstance(above, Sequence) and isinstance(below, Sequence):
        merged.entries[NOTIFICATIONS] = top.entries[NOTIFICATIONS][0], _over_list(above, below)
    return merged


def _over(top: Mapping, base: Mapping) -> Mapping:
    """Merge two maps key by key; where nothing is written above, what is below stays."""
    entries = dict(base.entries)
    for key, (position, node) in top.entries.items():
        entries[key] = (position, _over_node(node, entries[key][1])) if key in entries else (position, node)
    return Mapping(top.position, entries)


def _over_node(top: Node, base: Node) -> Node:
    if isinstance(top, Mapping) and isinstance(base, Mapping):
        return _over(top, base)
    return base if isinstance(top, Scalar) and top.value is None else top


def _over_list(top: Sequence, base: Sequence) -> Sequence:
    """Merge two lists of maps with names; what has no counterpart below is added at the end."""
    items = list(base.items)
    indices = {_name(item): index for index, item in enumerate(items)}
    for item in top.items:
        index = indices.pop(_name(item), None)
        if index is None or _name(item) is None:
            items.append(item)
        else:
            items[index] = _over_node(item, items[index])
    return Sequence(top.position, tuple(items))


def _name(item: Node) -> str | None:
    name = item.entries.get("name", (None, None))[1] if isinstance(item, Mapping) else None
    return name.text if isinstance(name, Scalar) else None
