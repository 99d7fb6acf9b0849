"""Random schedules of faults (tests/faults/schedules.py); a seed that failed is run again by
`tests/faults/schedules.py --seed N`, or here with HOPCOUNT_SEED=N."""
import os
import random

import pytest

from faults.schedules import run_schedule

FIRST = int(os.environ.get("HOPCOUNT_SEED", random.randrange(1 << 31)))
N_SOAK = int(os.environ.get("HOPCOUNT_SCHEDULES", "200"))


@pytest.mark.parametrize("number", range(6))
def test_a_random_schedule_of_faults_on_one_server(number):
    print(run_schedule(FIRST + number, "single"))


def test_a_random_schedule_of_faults_with_sentinels():
    print(run_schedule(FIRST, "sentinel"))


def test_a_random_schedule_of_faults_on_a_cluster():
    print(run_schedule(FIRST, "cluster"))


@pytest.mark.soak
@pytest.mark.parametrize("number", range(N_SOAK))
def test_many_random_schedules(number):
    print(run_schedule(FIRST + number))
