"""`musicotopy`: parse → plan → execute → report → exit."""

from __future__ import annotations

import functools
import signal
import sys
import threading
from collections.abc import Sequence

from bidsapp.cli.parser import build_parser
from bidsapp.errors import AppError, OutputError, ResumableError, RunsLeftOutError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bidsapp.config import Config
    from bidsapp.engine.plan import Plan
    from bidsapp.engine.status import Record


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the app and return its exit code (listed in ``--help``)."""
    _end_on_signals()
    try:
        words = build_parser().parse_args(arguments)
        from bidsapp.cli.configure import configure

        config = configure(vars(words))
        _configure_logging(config)
        code = _run(config)
        sys.stdout.flush()
        return code
    except AppError as error:
        print(f"musicotopy: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        name = error.filename or "standard output (results that were announced are complete)"
        print(f"musicotopy: {name}: {error.strerror}", file=sys.stderr)
        return OutputError.exit_code
    except KeyboardInterrupt as reason:
        how = f"interrupted{f' by {reason}' if str(reason) else ''}"
        print(f"musicotopy: {how}; the same command goes on from here", file=sys.stderr)
        return ResumableError.exit_code


class _Interrupted(KeyboardInterrupt):
    """Ctrl-C or its like.

    A class of its own, because the interpreter ends with the signal, whatever the exit code, once
    a plain KeyboardInterrupt has come through code that was compiled from text (dataclasses).
    """


def _end_on_signals() -> None:
    """End in an orderly way on Ctrl-C and on SIGTERM, also as process 1 of a container.

    ``docker stop``, ``scancel`` and preemption send SIGTERM. Processes beside this one are ended.
    """
    if threading.current_thread() is not threading.main_thread():
        return

    def end(number: int, frame: object) -> None:
        started = sys.modules.get("multiprocessing")  # without it there is no other process
        if number == signal.SIGTERM and started is not None:
            for child in started.active_children():
                child.terminate()
        raise _Interrupted(signal.Signals(number).name)

    signal.signal(signal.SIGTERM, end)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end)


def _run(config: Config) -> int:
    from bidsapp.engine.threads import limit_threads

    limit_threads(config.n_threads)
    if config.list_inputs:
        return _list_inputs(config)
    from bidsapp.engine.plan import make_plan
    from bidsapp.engine.preflight import checked

    plan = checked(make_plan(config), config)
    only_planned = config.dry_run or config.plan_json is not None
    return _dry_run(plan, config) if only_planned else _execute(plan, config)


def _list_inputs(config: Config) -> int:
    """Print the files that a run would read."""
    from bidsapp.bids.dataset import open_dataset
    from bidsapp.bids.listing import files_to_read
    from bidsapp.engine.plan import select_participants
    from bidsapp.recipes import RECIPES
    from bidsapp.recipes.base.inputs import query_filters

    dataset = open_dataset(config.bids_dir, config.derivatives)
    paths = {
        path
        for subject in select_participants(dataset, config)
        for recipe in config.recipe
        for path in files_to_read(
            dataset,
            subject,
            spaces=config.space,
            kinds=RECIPES[recipe].kinds,
            filters=query_filters(config),
            stimuli_dir=config.stimuli_dir,
            adapter=config.adapter,
            grey_matter="grey_matter" in RECIPES[recipe].needs,
        )
    }
    print("\n".join(map(str, sorted(paths))))
    return 0


def _dry_run(plan: Plan, config: Config) -> int:
    """Show what a run would do and whether it would be refused; nothing is written."""
    from bidsapp.cli.show import show_plans, write_plan
    from bidsapp.engine.preflight import expected_groups, refuse_before_start

    parts = [plan] if "participant" in config.analysis_level else []
    if "group" in config.analysis_level:
        parts.append(expected_groups(plan, config))
    refusal = None
    try:
        refuse_before_start(plan, config)
    except AppError as error:
        refusal = error
    if config.plan_json is not None:
        write_plan(parts, config.plan_json, config)
    if config.dry_run:
        show_plans(parts, config, refusal)
    if refusal is not None:
        return refusal.exit_code
    errors = [job.error for part in parts for job in part.jobs if job.error]
    left_out = any(job.left_out for part in parts for job in part.jobs)
    code = RunsLeftOutError.exit_code if left_out else 0
    return max((error.exit_code for error in errors), default=code)


def _execute(plan: Plan, config: Config) -> int:
    from bidsapp.bids.output_folder import check_output
    from bidsapp.bids.staging import clean_leftovers
    from bidsapp.cli.show import show_records, show_warnings
    from bidsapp.engine.index_page import write_index
    from bidsapp.engine.logs import log_head, log_to_file, prepare_output
    from bidsapp.engine.plan import group_plan
    from bidsapp.engine.preflight import refuse_before_start
    from bidsapp.engine.reports import write_reports
    from bidsapp.engine.run import execute
    from bidsapp.engine.threads import limit_torch

    refuse_before_start(plan, config)
    check_output(config.output_dir, plan.dataset, config.stimuli_dir)
    clean_leftovers(config.output_dir)
    log_to_file(config)
    log_head(plan, config)
    show_warnings(plan, config)
    limit_torch(config.n_threads)
    jobs, records = list(plan.jobs), []
    prepare = functools.cache(functools.partial(prepare_output, plan, config))
    if config.reports_only:
        records = _finished(plan, config)
    else:
        report = functools.partial(write_reports, config=config)
        records = execute(plan, config, prepare, report)
        if "group" in config.analysis_level:
            groups = group_plan(plan, config)
            show_warnings(groups, config)
            records += execute(groups, config, prepare, report)
            jobs += groups.jobs
    records = write_reports(records, config)
    write_index(config.output_dir)
    return show_records(records, len(jobs), config)


def _finished(plan: Plan, config: Config) -> list[Record]:
    """Return the records of what is done, of the chosen participants and levels."""
    from bidsapp.engine.status import read_records

    done = [
        record
        for record in read_records(config.output_dir).values()
        if record.state == "done"
        and record.recipe in config.recipe
        and record.level in config.analysis_level
        and (record.level == "group" or record.subject in plan.subjects)
    ]
    if not done:
        msg = (
            f"{config.output_dir}: holds no finished participant to report on; run without "
            "--reports-only first"
        )
        raise OutputError(msg)
    return done


def _configure_logging(config: Config) -> None:
    """Send messages to standard error; -v and -q move the threshold in steps of five."""
    import logging

    logging.addLevelName(25, "NOTE")
    level = 30 if config.quiet else max(25 - 5 * config.verbose, 10)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    handler.setLevel(level)
    logger = logging.getLogger("musicotopy")
    logger.handlers[:] = [handler]
    logger.setLevel(10)  # the log file has everything
    logger.propagate = False


if __name__ == "__main__":
    sys.exit(main())
