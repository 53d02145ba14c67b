"""Makes Patroni start and stop faster. A .pth file beside it imports it into every python3 of this environment.

Four Patronis start at once on a two-core machine, and every patronictl pays for the same imports.
"""

import importlib.abc
import importlib.util
import sys
import time
import types

import dns
import yaml

# Patroni reads a YAML file of 2000 lines at every start: libyaml does it eight times as fast.
yaml.SafeLoader = yaml.CSafeLoader


class _LoadedWhenUsed(types.ModuleType):
    """Stands for a module until something asks for what is in it."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


# The etcd client imports a DNS resolver of 60 modules, which only discovery by SRV records uses.
dns.resolver = sys.modules["dns.resolver"] = _LoadedWhenUsed("dns.resolver")


# How often Patroni looks whether its Postgres listens yet, and whether the leader has released a standby that is to
# stop, in seconds; by itself once a second, and every two. Whether Postgres has ended it goes on asking once a second
# but in a switchover: sooner it would find one that has written its last checkpoint and is not gone yet, and then it
# asks every member who could take over, which takes seconds where they have all stopped.
_POLL = 0.2

# The same in a switchover, and how long it then leaves standbys to receive the last checkpoint; by itself 1 s each.
_HAND_OVER_POLL = 0.05
_HAND_OVER_CATCH_UP = 0.1


def _looks_whether_it_accepts(module):
    """Has a Patroni that waits for its Postgres to accept see it sooner than once a second."""
    patient = module.Postgresql.wait_for_startup

    def wait_for_startup(self, timeout=0):
        rejects = module.PgIsReadyStatus.REJECT
        while self.pg_isready() == rejects and not self.cancellable.is_cancelled:
            if timeout and self.time_in_state() > timeout:
                break
            time.sleep(_POLL)
        return patient(self, timeout)

    module.Postgresql.wait_for_startup = wait_for_startup


def _names_the_first_standbys_at_once(module):
    """Has the leader of a new cluster name standbys for its quorum as soon as they stream.

    After a promotion Patroni leaves the key /sync as it is for loop_wait, lest it strike out standbys that are about
    to stream. Where the key names none there is none to strike out, and on timeline 1 there was no promotion.
    """
    process = module.Ha.process_sync_replication

    def process_sync_replication(self):
        is_first = not self.cluster.sync.voters or self.state_handler.get_primary_timeline() == 1
        if self._promote_timestamp and is_first:
            self._promote_timestamp = 1
        process(self)

    module.Ha.process_sync_replication = process_sync_replication


def _hands_over_soon(module):
    """Has a leader that hands over see sooner that it has shut down and that the others have all of it.

    It still releases the leader key only once a standby has the last checkpoint. Where none has it after this shorter
    time, the key is released once Postgres has ended, which waits for them: as it is without this.
    """
    demote = module.Ha.demote
    postgresql = sys.modules["patroni.postgresql"]

    def sleep(seconds):
        time.sleep(_HAND_OVER_CATCH_UP if seconds == 1 else seconds)

    def hand_over(self, mode):
        if mode != "graceful":
            return demote(self, mode)
        patient = postgresql.STOP_POLLING_INTERVAL
        postgresql.STOP_POLLING_INTERVAL = _HAND_OVER_POLL
        module.time = types.SimpleNamespace(**{**vars(time), "sleep": sleep})
        try:
            return demote(self, mode)
        finally:
            module.time = time
            postgresql.STOP_POLLING_INTERVAL = patient

    module.Ha.demote = hand_over


class _LooksMoreOften(importlib.abc.MetaPathFinder):
    """Has these modules wait less between two looks, once something imports them."""

    modules = ["patroni.postgresql", "patroni.ha"]

    def find_spec(self, name, path, target=None):
        if name not in self.modules:
            return None
        self.modules.remove(name)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            wait = module.polling_loop
            module.polling_loop = lambda timeout, interval=1: wait(timeout, min(interval, _POLL))
            if name == "patroni.postgresql":
                _looks_whether_it_accepts(module)
            else:
                _names_the_first_standbys_at_once(module)
                _hands_over_soon(module)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _LooksMoreOften())
