"""Executors: every job gets its record, killed workers cost their job only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bidsapp.config import Config
from bidsapp.engine.executors import ATTEMPTS, Dask, Executor, Local, make_executor, slurm_options
from bidsapp.engine.plan import Job, shard
from bidsapp.errors import ResourceUnavailableError, UsageError

Make = Callable[..., Executor]


def job(name: str) -> Job:
    return Job(name, "r", "participant", "01", "x", None, "aaaa")


def config_of(tmp_path: Path, **options: Any) -> Config:
    output = tmp_path / "out"
    (output / "logs").mkdir(parents=True, exist_ok=True)
    options = {"nprocs": 2, "mem": "2G", "workers": 2, **options}
    return Config(bids_dir=tmp_path, output_dir=output, analysis_level=("participant",), **options)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "helpers"))
    import stand_in  # type: ignore[import-not-found]

    return stand_in.StandIn


def attempts(tmp_path: Path, name: str) -> int:
    return len((tmp_path / "out" / f"attempts-{name}").read_text().splitlines())


@pytest.mark.parametrize("kind", ["local", "dask"])
def test_all_jobs_end_though_workers_are_killed(tmp_path: Path, stand_in: Any, kind: str) -> None:
    if kind == "dask":
        pytest.importorskip("distributed", reason="dask is an extra")
    config = config_of(tmp_path, executor=kind)
    worker = stand_in(config)
    executor: Executor = Local(worker, 2) if kind == "local" else Dask(worker, config)
    names = ["ok1", "once", "slow", "poison", "ok2", "ok3"]
    records = {record.job: record for record in executor.run([job(name) for name in names])}
    assert set(records) == set(names)
    assert {name for name, record in records.items() if record.state == "failed"} == {"poison"}
    assert records["poison"].exit_code == 75
    assert "--mem" in records["poison"].reason
    assert ATTEMPTS <= attempts(tmp_path, "poison") <= 2 * ATTEMPTS
    assert 2 <= attempts(tmp_path, "once") <= 1 + ATTEMPTS
    assert (tmp_path / "out" / "logs" / "jobs" / "poison.json").is_file()


def test_processes_share_threads_and_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bidsapp.config._granted_processors", lambda: 4)
    config = config_of(tmp_path, executor="local", nprocs=4)
    executor = make_executor(None, config)  # type: ignore[arg-type]
    assert isinstance(executor, Local)
    assert executor.worker.config.n_threads == 2
    assert executor.worker.config.memory_bytes == 2**30


def test_closing_stops_what_has_not_started(tmp_path: Path, stand_in: Any) -> None:
    config = config_of(tmp_path, executor="local", workers=1)
    outcomes = Local(stand_in(config), 1).run([job(f"slow{k}") for k in range(8)])
    next(outcomes)
    outcomes.close()
    started = len(list((tmp_path / "out").glob("attempts-*")))
    assert started < 8


def test_a_silent_scheduler_is_named(tmp_path: Path, stand_in: Any) -> None:
    pytest.importorskip("distributed", reason="dask is an extra")
    config = config_of(tmp_path, executor="dask", dask_scheduler=str(tmp_path / "none.json"))
    with pytest.raises(ResourceUnavailableError, match="no scheduler"):
        list(Dask(stand_in(config), config).run([job("ok")]))


def test_slurm_without_sbatch_is_refused_at_once(
    tmp_path: Path, stand_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setenv("PATH", str(tmp_path))
    config = config_of(tmp_path, executor="slurm")
    with pytest.raises(ResourceUnavailableError, match="no sbatch on this machine"):
        list(Dask(stand_in(config), config).run([job("ok")]))


def test_slurm_options_are_those_of_the_library(tmp_path: Path) -> None:
    config = config_of(tmp_path, executor="slurm", slurm=("queue=main", "walltime=02:00:00"))
    options = slurm_options(config)
    assert options["queue"] == "main"
    assert options["walltime"] == "02:00:00"
    assert options["memory"] == "2048MiB"
    with pytest.raises(UsageError, match="main"):
        slurm_options(config_of(tmp_path, executor="slurm", slurm=("main",)))


def test_shards_are_a_partition() -> None:
    labels = tuple(f"{number:02d}" for number in range(1, 12))
    parts = [shard(labels, f"{number}/4") for number in range(1, 5)]
    assert sorted(sum(parts, ())) == list(labels)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    for wrong in ("0/4", "5/4", "x/4", "1", "1/0"):
        with pytest.raises(UsageError, match="I/N"):
            shard(labels, wrong)
