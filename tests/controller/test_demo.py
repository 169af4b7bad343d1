"""The demo's parts: its load, the queues of its servers, what they export, and the source for want of Prometheus."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest
import yaml

from controller.demo import prometheus
from controller.demo.clock import ScaledClock
from controller.demo.embedded import EmbeddedSource
from controller.demo.engine import Engine, free_gpu
from controller.demo.exporter import CLUSTER_PATH, DAEMON_PATH, GATEWAY_PATH, Daemon, Exporter, PodTargets, stamped
from controller.demo.load import ARRIVALS, BUDGET, NAMESPACE, WAITING, WORKLOADS, Load, start_s
from controller.demo.servers import Deployed, FluidQueue, ModelServers, Moment, Pod
from controller.demo.texts import GPUS, cluster_text, gateway_text, gpus_text, pod_text
from controller.errors import Rejected
from controller.policy_text import parse_policies
from controller.records import Answered, SignalQuery, Unanswered
from policies.model import Why
from simulations.clock import VirtualClock
from simulations.cluster import SimulatedCluster
from simulations.cluster import Workload as Simulated
from simulations.traffic import WEEK_S

START_S = start_s(1_790_000_000.0)
CHAT = WORKLOADS[0]
LABELS = ("app", "namespace")


def _servers(clock: VirtualClock, replicas: int) -> ModelServers:
    cluster = SimulatedCluster(clock)
    cluster.add(Simulated(CHAT.ref, replicas))
    asyncio.run(cluster.follow([CHAT.ref]))
    return ModelServers(cluster, clock, [CHAT], {"chat": Load(CHAT, start_s=START_S, seed=1)})


def _pod(name: str, engine: Engine) -> Pod:
    return Pod(name, "chat", 1.5, engine, created_at_s=900.0, ready_at_s=990.0)


def test_the_demo_plays_on_a_tuesday_morning_weeks_ago() -> None:
    # 1_790_000_000 is Monday 2026-09-21 14:13:20 UTC; nine weeks before is Monday 2026-07-20, its Tuesday 07-14.
    assert START_S == 1_784_016_000.0


@pytest.mark.parametrize(
    ("arrivals", "ready", "served", "waiting", "rejected", "late"),
    [
        # Ten replicas of 6/s serve 600 in 10 s; up to 480 of them are in time.
        pytest.param(480.0, 10, 480.0, 0.0, 0.0, 0.0, id="at-the-serving-limit-all-are-in-time"),
        pytest.param(500.0, 10, 500.0, 0.0, 0.0, 500.0, id="above-it-all-are-late-and-served"),
        # 100 wait, as the queue holds 6 s of 60/s.
        pytest.param(700.0, 10, 600.0, 100.0, 0.0, 700.0, id="above-capacity-the-rest-waits"),
        pytest.param(1000.0, 10, 600.0, 360.0, 40.0, 1000.0, id="what-does-not-fit-the-queue-is-turned-away"),
        pytest.param(50.0, 0, 0.0, 0.0, 50.0, 50.0, id="without-replicas-all-are-turned-away"),
    ],
)
def test_a_queue(arrivals: float, ready: int, served: float, waiting: float, rejected: float, late: float) -> None:
    queue = FluidQueue(capacity=6.0)
    queue.step(arrivals, ready=ready, seconds=10.0)
    found = (queue.arrived, queue.served, queue.waiting, queue.rejected, queue.late)
    assert found == pytest.approx((arrivals, served, waiting, rejected, late))


def test_what_waits_is_served_first_when_there_is_room() -> None:
    queue = FluidQueue(capacity=6.0, waiting=100.0)
    queue.step(100.0, ready=10, seconds=10.0)
    assert (queue.waiting, queue.served, queue.late) == (0.0, 200.0, 0.0)


def test_the_same_seed_gives_the_same_load_and_the_second_week_repeats() -> None:
    one, other = (Load(CHAT, start_s=START_S, seed=3) for _ in range(2))
    hour = [START_S + 3600.0, START_S + 7200.0]
    assert one.rate(hour, over_s=120.0) == other.rate(hour, over_s=120.0)
    later = [at_s + 3 * WEEK_S for at_s in hour]
    assert one.rate(later, over_s=120.0) == pytest.approx(one.rate(hour, over_s=120.0))
    # Requests never go back, not where one week meets the next either.
    ends = [one.arrived(START_S + WEEK_S + offset_s) for offset_s in (-60.0, 0.0, 60.0)]
    assert ends[0] < ends[1] < ends[2]


def test_policies_of_the_demo_are_valid_and_active() -> None:
    policies = [parse_policies(each.policy, source=each.name)[0] for each in WORKLOADS]
    assert [policy.uid for policy in policies] == ["demo/chat", "demo/embed", "demo/rerank"]
    assert {policy.spec.mode for policy in policies} == {"active"}


def test_servers_share_what_was_served_among_ready_pods() -> None:
    clock = VirtualClock(START_S)
    servers = _servers(clock, replicas=20)
    servers.step()
    clock.advance(10.0)
    moment = servers.step()
    served = [pod.engine.served for pod in moment.pods.values()]
    # 10 s of about 60 requests/s on 20 pods.
    assert len(served) == 20
    assert sum(served) == pytest.approx(servers.queues["chat"].arrived)
    assert max(served) == pytest.approx(min(served))
    assert servers.usage["chat"].replica_s == 200.0
    assert servers.late_ratio == 0.0


def test_exported_text_is_stamped_with_the_simulated_time() -> None:
    moment = Moment(1_000.5, arrived={"chat": 12.5}, rejected={"chat": 0.0}, waiting={"chat": 3.0}, late={"chat": 1.5})
    assert 'demo_requests_late_total{namespace="demo",app="chat"} 1.5 1000500\n' in gateway_text(moment)
    assert 'demo_requests_total{namespace="demo",app="chat"} 12.5 1000500\n' in gateway_text(moment)
    pod = _pod("chat-1", Engine(0))
    assert "demo_requests_waiting{} 1.5 1000500\n" in pod_text(pod, moment.at_s)


def test_the_clusters_deployments_are_told_as_kube_state_metrics_does() -> None:
    moment = Moment(1_000.5, {}, {}, {}, {}, deployed=(Deployed("chat", 15),))
    text = cluster_text(moment)
    assert 'kube_deployment_status_replicas{namespace="demo",deployment="chat"} 15 1000500\n' in text
    assert 'kube_deployment_status_replicas_updated{namespace="demo",deployment="chat"} 15 1000500\n' in text


def test_pods_and_nodes_are_told_as_kube_state_metrics_does() -> None:
    pods = {"chat-1": _pod("chat-1", Engine(0)), "chat-2": replace(_pod("chat-2", Engine(1)), ready_at_s=None)}
    text = cluster_text(Moment(1_000.5, {}, {}, {}, {}, pods=pods, began_s=10.0))
    assert 'kube_pod_created{namespace="demo",pod="chat-2"} 900.0 1000500\n' in text
    assert 'kube_pod_status_ready_time{namespace="demo",pod="chat-1"} 990.0 1000500\n' in text
    assert 'kube_pod_status_ready_time{namespace="demo",pod="chat-2"}' not in text
    assert 'kube_node_created{node="demo-10"} 10.0 1000500\n' in text
    assert text.count('condition="Ready",status="true"} 1 ') == 10


def test_a_server_tells_its_batch_and_how_long_requests_took() -> None:
    engine = Engine(9)
    engine.serve(30.0, seconds=10.0, capacity=6.0, wait_s=0.0)  # half of what it can
    # The typical first token comes after 0.15 / (1 - 0.7 / 2) = 0.23 s, and the whole takes 0.8 * 1.5 = 1.2 s more.
    assert engine.running == pytest.approx(3 * 1.431, abs=0.001)
    text = pod_text(_pod("chat-1", engine), 1_000.5)
    assert 'vllm:num_requests_waiting{model_name="demo",engine="0"} 1.5 1000500\n' in text
    assert 'vllm:kv_cache_usage_perc{model_name="demo",engine="0"} 0.45 1000500\n' in text
    name = 'vllm:time_to_first_token_seconds_bucket{{model_name="demo",engine="0",le="{}"}} {} 1000500\n'
    assert name.format("+Inf", 30.0) in text
    assert engine.first_token.at_most[:2] == pytest.approx([0.0, 24.0])  # 0.12, 0.18 and 0.23 s are at most 0.25 s
    assert engine.whole.sum_s == pytest.approx(30 * 1.431 * 1.03, abs=0.01)  # 1.03: the mean of the spread


def test_each_server_has_a_gpu_of_its_own_and_one_that_is_free_is_taken_again() -> None:
    assert [free_gpu({}), free_gpu({"a": Engine(0), "b": Engine(2)})] == [0, 1]
    text = gpus_text(Moment(1_000.5, {}, {}, {}, {}, pods={"chat-1": _pod("chat-1", Engine(9, busy=0.5))}))
    whose = 'hostname="demo-2",gpu="1",UUID="GPU-demo-9",namespace="demo",pod="chat-1",container="server"'
    assert f"DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{whose}}} 0.5 1000500\n" in text
    assert 'DCGM_FI_DEV_FB_USED{hostname="demo-1",gpu="0",UUID="GPU-demo-0"} 0.0 1000500\n' in text
    assert sum(each.replicas[1] for each in WORKLOADS) <= GPUS


def test_the_budget_is_seen_and_takes_nothing_from_anybody() -> None:
    most = sum(each.replicas[1] * each.hourly for each in WORKLOADS)
    cap = yaml.safe_load(BUDGET)["spec"]["usdPerHour"]
    assert most < cap  # 30 * 4.10 + 24 * 0.80 + 24 * 1.20 = 171
    assert most == pytest.approx(171.0)


def test_samples_of_the_daemon_are_stamped_and_the_rest_is_left() -> None:
    text = '# TYPE up gauge\nup{a="b c"} 1.0\n'
    assert stamped(text, 12.5) == '# TYPE up gauge\nup{a="b c"} 1.0 12500\n'


def test_a_daemon_that_does_not_answer_is_not_found() -> None:
    with _exporting(Moment(1.0, {}, {}, {}, {})) as (exporter, _):
        assert _status(exporter, DAEMON_PATH) == 404
        exporter.daemon = Daemon(f"127.0.0.1:{prometheus.free_port()}", lambda: 1.0)
        assert _status(exporter, DAEMON_PATH) == 404
        exporter.daemon = Daemon(exporter.address, lambda: 1.0)  # it has no /metrics of its own
        assert _status(exporter, DAEMON_PATH) == 404
        assert _status(exporter, CLUSTER_PATH) == 200


@contextmanager
def _exporting(moment: Moment | None) -> Iterator[tuple[Exporter, list[bool]]]:
    scrapes: list[bool] = []
    with Exporter(on_scrape=lambda: scrapes.append(True)) as exporter:
        if moment is not None:
            exporter.publish(moment)
        yield exporter, scrapes


def _status(exporter: Exporter, path: str) -> int:
    connection = HTTPConnection(exporter.address, timeout=5)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_pod_that_is_gone_is_not_found() -> None:
    pod = _pod("chat-1", Engine(0))
    moment = Moment(1.0, {"chat": 1.0}, {"chat": 0.0}, {"chat": 0.0}, {"chat": 0.0}, {"chat-1": pod})
    with _exporting(moment) as (exporter, scrapes):
        paths = (GATEWAY_PATH, "/pods/chat-1/metrics", "/pods/chat-2/metrics", "/")
        assert [_status(exporter, path) for path in paths] == [200, 200, 404, 404]
        assert scrapes == [True]


def test_targets_are_written_when_pods_change(tmp_path: Path) -> None:
    targets = PodTargets(tmp_path / "pods.json", "127.0.0.1:1")
    pod = _pod("chat-1", Engine(0))
    targets.publish([pod])
    group = json.loads(targets.file.read_text())[0]
    assert group["labels"]["__metrics_path__"] == "/pods/chat-1/metrics"
    assert (group["labels"]["app"], group["labels"]["pod"]) == ("chat", "chat-1")
    targets.file.unlink()
    targets.publish([pod])
    assert not targets.file.exists()
    targets.publish([])
    assert json.loads(targets.file.read_text()) == []


def test_prometheus_is_told_of_samples_that_lie_behind(tmp_path: Path) -> None:
    config = prometheus.Scrape("127.0.0.1:1", 0.5, tmp_path / "pods.json").config()
    assert yaml.safe_load(json.dumps(config)) == config
    assert config["global"]["scrape_interval"] == "500ms"
    assert config["storage"]["tsdb"]["out_of_order_time_window"] == "3650d"


async def test_the_embedded_source_answers_the_demos_queries() -> None:
    clock = VirtualClock(START_S)
    cluster = SimulatedCluster(clock)
    cluster.add(Simulated(CHAT.ref, 15))
    load = Load(CHAT, start_s=START_S, seed=1)
    servers = ModelServers(cluster, clock, [CHAT], {"chat": load})
    source = EmbeddedSource(servers)
    queries = [SignalQuery(text, LABELS) for text in (ARRIVALS, WAITING, "up")]
    early = await source.ask(queries, at_s=START_S, deadline_s=1.0)
    assert [isinstance(answer, Unanswered) and answer.why for answer in early] == [Why.SOURCE_DOWN] * 3
    servers.step()
    arrivals, waiting, other = await source.ask(queries, at_s=START_S, deadline_s=1.0)
    key = ("chat", NAMESPACE)
    assert isinstance(arrivals, Answered)
    assert isinstance(waiting, Answered)
    assert (arrivals.keys, arrivals.newest_at_s) == ([key], {key: START_S})
    assert arrivals.values == load.rate([START_S], over_s=120.0)
    assert list(waiting.values) == [0.0]
    assert isinstance(other, Unanswered)
    assert other.why == Why.BAD_QUERY


async def test_the_embedded_source_knows_the_past_week_of_arrivals_alone() -> None:
    servers = _servers_of(VirtualClock(START_S))
    source = EmbeddedSource(servers)
    (series,) = await source.past(
        SignalQuery(ARRIVALS, LABELS), start_s=START_S - 600.0, end_s=START_S, step_s=60.0, deadline_s=1.0
    )
    assert list(series.at_s) == [START_S - 600.0 + 60.0 * step for step in range(11)]
    assert 40 < min(series.values) <= max(series.values) < 80
    with pytest.raises(Rejected, match="knows no past"):
        await source.past(SignalQuery(WAITING, LABELS), start_s=0.0, end_s=60.0, step_s=60.0, deadline_s=1.0)


def _servers_of(clock: VirtualClock) -> ModelServers:
    load = Load(CHAT, start_s=START_S, seed=1)
    return ModelServers(SimulatedCluster(clock), clock, [CHAT], {"chat": load})


async def test_the_clock_stands_until_it_begins_and_then_runs_faster() -> None:
    clock = ScaledClock(1_000.0, speed=60.0)
    clock.stand_at(2_000.0)
    assert (clock.now_s(), clock.elapsed_s()) == (2_000.0, 0.0)
    clock.begin()
    await clock.sleep(3.0)  # 0.05 s of real time
    assert clock.now_s() >= 2_003.0
    with pytest.raises(ValueError, match="runs already"):
        clock.stand_at(0.0)
