"""The command that makes a Vault what it should be, from whatever it is: new, sealed, half done, or complete.

Level-triggered: look, decide, do one round of steps, look again, until nothing is missing.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from taskservice_keeper.errors import KeeperError, NotYet
from taskservice_keeper.vault import plan
from taskservice_keeper.vault.contents import Contents, SecretReader
from taskservice_keeper.vault.desired import Desired
from taskservice_keeper.vault.keys import Keys, KeyStore
from taskservice_keeper.vault.plan import Opening
from taskservice_keeper.vault.server import Server, patiently
from taskservice_keeper.vault.values import Entropy, SystemEntropy

PATIENCE_SECONDS = 240.0
# What is made in one round can make another possible (a mount, then what lies in it); more rounds mean a fight.
ROUNDS = 5

REFUSALS = {
    Opening.KEYS_LOST: "The Vault is sealed and its keys are not held here. Put them back (the Secret of the keys), or"
    " open it by hand with `vault operator unseal`. If it is new and nothing was ever stored in it, an initialization"
    " was cut off before its keys were kept: delete its volume and its pod, and run this again.",
    Opening.DATA_LOST: "The Vault is empty, but the keys of an earlier one are held. If its data was lost, restore a"
    " snapshot (`vault restore latest`). To begin anew instead, delete the Secret of the keys: every secret and"
    " every snapshot of the earlier Vault is lost then.",
}

Say = Callable[[str], None]


def bootstrap(
    server: Server,
    store: KeyStore,
    desired: Desired,
    say: Say,
    *,
    shares: int = 1,
    threshold: int = 1,
    entropy: Entropy | None = None,
    kubernetes: SecretReader = lambda _namespace, _name: None,
) -> int:
    """Open the Vault and add what it lacks; returns the number of changes, 0 when all was there.

    `kubernetes` reads the Secrets of Kubernetes that texts quote.

    Raises KeeperError when it cannot go on, NotYet when the Vault does not answer in time.
    """
    entropy = entropy or SystemEntropy()
    keys = open_up(server, store, say, shares=shares, threshold=threshold)
    changes = 1 if keys.root_token else 0
    contents = Contents(server, desired, kubernetes)
    with server.root(keys):
        steps = look(contents, desired)
        for _ in range(ROUNDS):
            if not steps:
                return changes
            for step in steps:
                # A key-value store that was enabled a moment ago is not ready yet.
                patiently(lambda step=step: contents.apply(step, entropy), 30)
                say(str(step))
                changes += 1
            steps = look(contents, desired)
    if not steps:
        return changes
    raise KeeperError(f"Still to do after {ROUNDS} rounds: {steps[0]}. Something else changes it back.")


def look(contents: Contents, desired: Desired) -> tuple[plan.Step, ...]:
    """Return what is missing, patient with what is still starting. Raises KeeperError when something is in the way."""
    observed = patiently(contents.observe, PATIENCE_SECONDS)
    try:
        return plan.missing(desired, observed)
    except plan.CannotBe as error:
        raise KeeperError(str(error)) from None


def open_up(server: Server, store: KeyStore, say: Say, *, shares: int = 1, threshold: int = 1) -> Keys:
    """Initialize or unseal as needed and return the keys. Raises KeeperError."""
    patiently(lambda: _answers(server), PATIENCE_SECONDS)
    keys = store.load()
    view = server.seal_view(keys)
    next_step = plan.opening(view)
    if next_step in REFUSALS:
        raise KeeperError(REFUSALS[next_step])
    if next_step is Opening.INITIALIZE:
        keys = initialize(server, store, shares, threshold, view.opens_itself)
        say(f"initialized: {threshold} of {shares} key shares are kept")
        next_step = Opening.WAIT if view.opens_itself else Opening.UNSEAL
    if keys is None:
        raise KeeperError(
            "The Vault is open, but its keys are not held here, so no token can be made from them: put them back (the"
            " Secret of the keys)."
        )
    if next_step is Opening.UNSEAL:
        server.unseal(keys)
        say("unsealed")
    server.wait_until_active(PATIENCE_SECONDS)
    return keys


def initialize(server: Server, store: KeyStore, shares: int, threshold: int, opens_itself: bool) -> Keys:
    """Make the keys and keep them. Between Vault's answer and the store's there must be no end of this process."""
    store.prepare()
    with undisturbed():
        keys = server.initialize(shares, threshold, opens_itself)
        patiently(lambda: store.save(keys.without_token()), PATIENCE_SECONDS)
    return keys


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold back the polite signals; only a kill by force or a power cut can come between."""
    waiting = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waiting)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _answers(server: Server) -> None:
    status = server.seal_status()
    if status.initialized and status.sealed and status.opens_itself:
        raise NotYet(f"The Vault at {server.address} is sealed; its own seal should open it: look at its log.")
