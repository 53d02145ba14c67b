"""Has a leader ask as many standbys to acknowledge as its own data center makes necessary, and only those that shall.

A .pth file beside it imports it into every python3 of this environment. PID 1 writes the file that it goes by,
`pgha_core::render::acknowledge`.
"""

import importlib.abc
import importlib.util
import json
import sys

# The synchronous_node_count that the cluster was made with, the one of a leader on this node, and the nodes among which
# such a leader chooses, where these are not all.
_FILE = "/pgha/config/acknowledge.json"


def _known():
    """What the file says; nothing where there is none."""
    try:
        with open(_FILE, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def _counts_by_data_center(module):
    """Has the number of synchronous standbys follow the leader, where data centers differ.

    Patroni has one number for all nodes, and only the leader goes by it, anew in each of its rounds. Where etcd has
    the number that the cluster was made with, this node takes its own; one that somebody has set since is kept.
    """
    config = type(module.global_config)
    configured = config.synchronous_node_count.fget

    def synchronous_node_count(self):
        count = configured(self)
        known = _known()
        return known["here"] if known.get("made_with") == count else count

    config.synchronous_node_count = property(synchronous_node_count)


def _of_these(cluster, among):
    """The cluster with those of its members alone that are among these names. Its own length is not that of a tuple."""
    members = [member for member in cluster.members if member.name in among]
    return type(cluster)(**{**dict(zip(cluster._fields, cluster)), "members": members})


def _chosen_by_data_center(handler):
    """Has the choice of synchronous standbys follow the leader, where only its own data center acknowledges.

    Patroni chooses among all members of the cluster that do not have the tag `nosync`, which is one and the same
    whoever leads. Of the members it is told here, it reads nothing but which of them may be chosen.
    """
    chosen = handler.current_state

    def current_state(self, cluster):
        among = _known().get("among")
        return chosen(self, cluster if among is None else _of_these(cluster, among))

    handler.current_state = current_state


class _Changes(importlib.abc.MetaPathFinder):
    """Changes the module of Patroni's HA loop once something imports it."""

    def find_spec(self, name, path, target=None):
        if name != "patroni.ha":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            _counts_by_data_center(module)
            _chosen_by_data_center(sys.modules["patroni.postgresql.sync"].SyncHandler)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _Changes())
