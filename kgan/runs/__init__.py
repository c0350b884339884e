"""A run directory: files that are never half written, checkpoints, loading."""

from kgan.files import replacing
from kgan.runs.checkpoints import Saved, keep_checkpoints, next_number, read_checkpoint, write_checkpoint
from kgan.runs.description import check_same, describe_model
from kgan.runs.directory import (
    FILES,
    check_free,
    check_is_run,
    command,
    lock,
    read_file,
    read_history,
    read_json,
    remove_partial_files,
    resume_command,
    short_names,
    value_of,
    write_json,
)
from kgan.runs.loading import load_model
from kgan.runs.machine import environment, peak_memory, unused_gpu
