"""Executors: every job gets its record, killed workers cost their job only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bidsapp.config import Config
from bidsapp.engine.clusters import Dask, refuse_executor
from bidsapp.engine.executors import Executor, Local, make_executor
from bidsapp.engine.plan import Job, shard
from bidsapp.engine.slurm import slurm_options, wait_for_worker
from bidsapp.engine.work import ATTEMPTS
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
    with pytest.raises(ResourceUnavailableError, match="no sbatch on this machine"):
        refuse_executor(config_of(tmp_path, executor="slurm"))


SBATCH = """#!/bin/sh
grep -q "SBATCH -p main" "$2" && exit 0
echo "sbatch: error: invalid partition specified: other" >&2
echo "sbatch: error: Batch job submission failed: Invalid partition name specified" >&2
exit 1
"""


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def test_what_slurm_refuses_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dask_jobqueue")
    program(tmp_path, "sbatch", SBATCH)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    refuse_executor(config_of(tmp_path, executor="slurm", slurm=("queue=main",)))
    with pytest.raises(ResourceUnavailableError, match=r"refuses .*\(Batch job .*tion name"):
        refuse_executor(config_of(tmp_path, executor="slurm", slurm=("queue=other",)))
    with pytest.raises(UsageError, match=r"--slurm quueue=main: .*quueue"):
        refuse_executor(config_of(tmp_path, executor="slurm", slurm=("quueue=main",)))


def test_a_controller_that_does_not_answer_is_waited_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dask_jobqueue")
    program(tmp_path, "sbatch", "#!/bin/sh\nexec sleep 20\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("bidsapp.engine.slurm.ANSWER_S", 0.3)
    with pytest.raises(ResourceUnavailableError, match="did not answer"):
        refuse_executor(config_of(tmp_path, executor="slurm"))


class Waiting:
    """A client whose workers come after some looks at the queue."""

    def __init__(self, n_looks: int) -> None:
        self.left = n_looks
        self.workers = {0: SimpleNamespace(job_id="7"), 1: SimpleNamespace(job_id=None)}

    def wait_for_workers(self, n_workers: int, timeout: float) -> None:
        self.left -= 1
        if self.left >= 0:
            raise TimeoutError


def test_the_wait_for_slurm_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program(tmp_path, "squeue", "#!/bin/sh\necho 7 PENDING\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    client = Waiting(3)
    with caplog.at_level(25, "musicotopy"):
        wait_for_worker(client, client, config_of(tmp_path, executor="slurm"))
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 3
    assert all(message.endswith("job 7 pending (squeue)") for message in messages)


def test_jobs_that_have_left_the_queue_end_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "squeue", "#!/bin/sh\nexit 0\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    client = Waiting(100)
    with pytest.raises(ResourceUnavailableError, match=r"none of their jobs .*logs/slurm"):
        wait_for_worker(client, client, config_of(tmp_path, executor="slurm"))
    assert client.left == 98


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
