"""Kubeconfigs that hold no token: kubectl and the provider call the cloud's own program for one that lasts minutes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

AKS_SERVER_ID = "6dae42f8-4368-4678-94ff-3960e28e3630"
"""The application that every AKS cluster with Entra ID asks tokens for (learn.microsoft.com, kubelogin)."""


@dataclass(frozen=True)
class TokenProgram:
    """What is called for a token, and what to say where it is missing."""

    command: str
    arguments: Sequence[str]
    hint: str
    api_version: str = "client.authentication.k8s.io/v1"
    provides_cluster: bool = False


def eks_tokens(cluster: str, region: str) -> TokenProgram:
    return TokenProgram(
        "aws",
        ["--region", region, "eks", "get-token", "--cluster-name", cluster, "--output", "json"],
        "Install the AWS CLI, version 2, and sign in.",
        api_version="client.authentication.k8s.io/v1beta1",
    )


def gke_tokens() -> TokenProgram:
    return TokenProgram(
        "gke-gcloud-auth-plugin",
        [],
        "Install it: gcloud components install gke-gcloud-auth-plugin; then gcloud auth login.",
        api_version="client.authentication.k8s.io/v1beta1",
        provides_cluster=True,
    )


def aks_tokens() -> TokenProgram:
    return TokenProgram(
        "kubelogin",
        ["get-token", "--login", "azurecli", "--server-id", AKS_SERVER_ID],
        "Install it: az aks install-cli; then az login.",
        api_version="client.authentication.k8s.io/v1beta1",
    )


def kubeconfig(context: str, server: str, authority: str, tokens: TokenProgram) -> str:
    """A kubeconfig as JSON, with ``context`` as its only and current one.

    ``server``: the API's address with its scheme; ``authority``: its certificate authority, base64 of PEM.
    """
    program = {
        "apiVersion": tokens.api_version,
        "command": tokens.command,
        "args": list(tokens.arguments),
        "installHint": tokens.hint,
        "interactiveMode": "Never",
        "provideClusterInfo": tokens.provides_cluster,
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": context, "cluster": {"server": server, "certificate-authority-data": authority}}],
            "users": [{"name": context, "user": {"exec": program}}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
            "current-context": context,
        }
    )
