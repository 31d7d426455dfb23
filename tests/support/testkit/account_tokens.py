"""Tokens of ServiceAccounts, as a pod or an operator would get them."""

from typing import Any

from kubernetes.client import CoreV1Api


def token(api: CoreV1Api, namespace: str, account: str, *audiences: str) -> str:
    """A token of a ServiceAccount for these audiences, for the API server itself when there are none."""
    body: Any = {"spec": {"audiences": list(audiences) or None, "expirationSeconds": 3600}}
    answer: Any = api.create_namespaced_service_account_token(account, namespace, body)
    return answer.status.token
