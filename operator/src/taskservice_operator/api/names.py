"""Every name by which the outside knows us: group, kinds, labels, annotations, field manager."""

GROUP = "taskservice.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "TaskService"
PLURAL = "taskservices"

FIELD_MANAGER = "taskservice-operator"
"""The one server-side-apply field manager; several would each keep their own copy of ownership."""

# Labels on every owned object.
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_NAME = "app.kubernetes.io/name"
LABEL_INSTANCE = "app.kubernetes.io/instance"
LABEL_REVISION = f"{GROUP}/revision"
LABEL_COLOUR = f"{GROUP}/colour"
LABEL_OWNER = f"{GROUP}/name"
MANAGED_BY = "taskservice-operator"
MANAGED_SELECTOR = f"{LABEL_MANAGED_BY}={MANAGED_BY}"

# Human verbs.  The value is ``<revision>`` or ``<revision>@<anything>``: bound to the revision that was
# seen, carried out once; a new suffix makes it a new request.
VERB_PROMOTE = f"{GROUP}/promote"
VERB_PROMOTE_FULL = f"{GROUP}/promote-full"
VERB_ABORT = f"{GROUP}/abort"
VERB_RETRY = f"{GROUP}/retry"
VERB_ROLLBACK = f"{GROUP}/rollback"
VERBS = (VERB_PROMOTE, VERB_PROMOTE_FULL, VERB_ABORT, VERB_RETRY, VERB_ROLLBACK)

MAX_NAME_LENGTH = 40
"""A TaskService's longest name: ``<name>-<10 digit revision>-<replicaset hash>-<5>`` must stay a DNS label."""


def verb_name(annotation: str) -> str:
    """``taskservice.dev/promote`` → ``promote``."""
    return annotation.rpartition("/")[2]
