"""Owns a real Kubernetes API server with its etcd, and the accounts and objects that tests make on it."""

from __future__ import annotations

import ssl
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Self

import yaml

from tests.integration.servers.certificates import FRONT_PROXY, make_certificates
from tests.integration.servers.kube_client import Document, api_client, collection, request
from tests.integration.servers.process import PROBE_TIMEOUT_S, Launch, ServerProcess, free_port, http_ok

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kubernetes.aio.client import ApiClient

    from tests.integration.servers.kubernetes_build import KubernetesPrograms

ADMIN_TOKEN = "foresail-test-admin"
ISSUER = "https://kubernetes.default.svc"
RBAC = "rbac.authorization.k8s.io"
TOKEN_LIFETIME_S = 7200


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service account with a bearer token of its own, valid for two hours."""

    namespace: str
    name: str
    token: str


class KubeApi:
    """One API server with RBAC on loopback; `admin_token` may do everything."""

    def __init__(self, folder: Path, programs: KubernetesPrograms) -> None:
        """Make certificates, tokens and a kubeconfig in `folder`; nothing runs yet."""
        self.folder = folder
        self.url = f"https://127.0.0.1:{free_port()}"
        self.admin_token = ADMIN_TOKEN
        self.programs = programs
        self.certificates = make_certificates(folder)
        self.ca_file = self.certificates.authority.certificate
        self.kubeconfig = self.kubeconfig_for(ADMIN_TOKEN, folder)
        self._etcd_url = f"http://127.0.0.1:{free_port()}"
        self.etcd = ServerProcess(self._launch_etcd(programs.etcd))
        self.process = ServerProcess(self._launch_api_server(programs.kube_apiserver))

    def __enter__(self) -> Self:
        """Start etcd and the API server (about 4 s)."""
        self.etcd.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop both."""
        self.process.stop()
        self.etcd.stop()

    def start(self) -> None:
        """Start the API server, on the same port and data as before."""
        self.process.start()

    def stop(self) -> None:
        """End the API server; etcd stays, and with it every object."""
        self.process.stop()

    def kill(self) -> None:
        """End the API server as a crash would."""
        self.process.kill()

    def pause(self) -> None:
        """Freeze the API server: requests hang and watches fall silent."""
        self.process.pause()

    def resume(self) -> None:
        """Let a frozen API server go on."""
        self.process.resume()

    def client(self, token: str | None = None) -> ApiClient:
        """Return a client for `async with`, as admin unless a token is given."""
        return api_client(self.url, ca_file=self.ca_file, token=token or self.admin_token)

    def kubeconfig_for(self, token: str, folder: Path) -> Path:
        """Write a kubeconfig that uses the token; returns its path, `folder`/kubeconfig."""
        path = folder / "kubeconfig"
        cluster = {"server": self.url, "certificate-authority": str(self.ca_file)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "default"}}],
        }
        path.write_text(yaml.safe_dump(document))
        return path

    async def service_account(
        self, namespace: str, name: str, rules: Sequence[Document], *, cluster: bool = False
    ) -> ServiceAccount:
        """Create an account that may do only what the RBAC rules say, in its namespace or (`cluster`) everywhere."""
        async with self.client() as api:
            accounts = collection(namespace, "serviceaccounts")
            await request(api, "POST", accounts, {"metadata": {"name": name}})
            await _grant(api, ServiceAccount(namespace, name, token=""), rules, cluster=cluster)
            wanted = {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"audiences": [ISSUER], "expirationSeconds": TOKEN_LIFETIME_S},
            }
            answer = await request(api, "POST", f"{accounts}/{name}/token", wanted)
        return ServiceAccount(namespace, name, answer["status"]["token"])

    def _launch_etcd(self, program: str) -> Launch:
        peer = f"http://127.0.0.1:{free_port()}"
        flags = {
            "data-dir": self.folder / "etcd",
            "listen-client-urls": self._etcd_url,
            "advertise-client-urls": self._etcd_url,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
        }
        return Launch(
            "etcd", [program, *flags_of(flags)], self.folder, ready=lambda: http_ok(f"{self._etcd_url}/health")
        )

    def _launch_api_server(self, program: str) -> Launch:
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f'{ADMIN_TOKEN},admin,admin,"system:masters"\n')
        made = self.certificates
        flags = {
            "etcd-servers": self._etcd_url,
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            "secure-port": self.url.rsplit(":", 1)[1],
            "tls-cert-file": made.own.certificate,
            "tls-private-key-file": made.own.key,
            "client-ca-file": self.ca_file,
            "cert-dir": self.folder,
            "token-auth-file": tokens,
            "authorization-mode": "RBAC",
            "service-account-issuer": ISSUER,
            "service-account-key-file": made.accounts_key,
            "service-account-signing-key-file": made.accounts_key,
            "service-cluster-ip-range": "10.0.0.0/24",
            "disable-admission-plugins": "ServiceAccount",
            "endpoint-reconciler-type": "none",
            # How it is known to the servers that it passes requests on to.
            "requestheader-client-ca-file": made.proxy_authority.certificate,
            "requestheader-allowed-names": FRONT_PROXY,
            "requestheader-username-headers": "X-Remote-User",
            "requestheader-group-headers": "X-Remote-Group",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-",
            "proxy-client-cert-file": made.proxy.certificate,
            "proxy-client-key-file": made.proxy.key,
        }
        return Launch("kube-apiserver", [program, *flags_of(flags)], self.folder, ready=self._ready, timeout_s=60)

    def _ready(self) -> bool:
        trust = ssl.create_default_context(cafile=str(self.ca_file))
        authority = self.url.removeprefix("https://")
        with closing(HTTPSConnection(authority, timeout=PROBE_TIMEOUT_S, context=trust)) as connection:
            try:
                connection.request("GET", "/readyz", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
                return connection.getresponse().status == 200
            except (OSError, HTTPException):
                return False


def deployment(name: str, *, replicas: int = 1, **labels: str) -> Document:
    """Return the manifest of a Deployment whose pods carry `app` and the given labels."""
    return _workload("Deployment", name, replicas=replicas, labels=labels)


def stateful_set(name: str, *, replicas: int = 1, **labels: str) -> Document:
    """Return the manifest of a StatefulSet whose pods carry `app` and the given labels."""
    manifest = _workload("StatefulSet", name, replicas=replicas, labels=labels)
    manifest["spec"]["serviceName"] = name
    return manifest


async def create_workload(kube_api: KubeApi, namespace: str, manifest: Document) -> Document:
    """Create a Deployment or StatefulSet as admin and return what the server stored."""
    resource = f"{manifest['kind'].lower()}s"
    async with kube_api.client() as api:
        return await request(api, "POST", collection(namespace, resource), manifest)


async def create_deployment(kube_api: KubeApi, namespace: str, name: str, *, replicas: int = 1) -> Document:
    """Create a Deployment as admin and return what the server stored."""
    return await create_workload(kube_api, namespace, deployment(name, replicas=replicas))


async def read_deployment(kube_api: KubeApi, namespace: str, name: str) -> Document:
    """Read a Deployment as admin."""
    async with kube_api.client() as api:
        return await request(api, "GET", f"{collection(namespace, 'deployments')}/{name}")


async def scale_of(kube_api: KubeApi, namespace: str, name: str) -> int:
    """Return the replicas that a Deployment asks for."""
    return int((await read_deployment(kube_api, namespace, name))["spec"]["replicas"])


async def create_namespace(kube_api: KubeApi, name: str) -> None:
    """Create a namespace as admin."""
    async with kube_api.client() as api:
        await request(api, "POST", "/api/v1/namespaces", {"metadata": {"name": name}})


async def clear_namespace(kube_api: KubeApi, name: str) -> None:
    """Remove the workloads and pods of a namespace at once; without controllers nothing else would."""
    at_once = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
    async with kube_api.client() as api:
        for resource in ("deployments", "statefulsets", "replicasets", "pods"):
            await request(api, "DELETE", collection(name, resource), at_once)


def flags_of(values: Mapping[str, object]) -> list[str]:
    """Settings as flags of a program."""
    return [f"--{name}={value}" for name, value in values.items()]


def _workload(kind: str, name: str, *, replicas: int, labels: Mapping[str, str]) -> Document:
    pod_labels = {"app": name, **labels}
    container = {
        "name": "server",
        "image": "registry.invalid/server:1",
        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": pod_labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": pod_labels}, "spec": {"containers": [container]}},
        },
    }


async def _grant(api: ApiClient, account: ServiceAccount, rules: Sequence[Document], *, cluster: bool) -> None:
    kind = "ClusterRole" if cluster else "Role"
    name = f"{account.namespace}-{account.name}" if cluster else account.name
    scope = "" if cluster else f"/namespaces/{account.namespace}"
    base = f"/apis/{RBAC}/v1{scope}/{kind.lower()}"
    await request(api, "POST", f"{base}s", {"metadata": {"name": name}, "rules": list(rules)})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "namespace": account.namespace, "name": account.name}],
    }
    await request(api, "POST", f"{base}bindings", binding)
