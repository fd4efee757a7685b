"""How many people come to a gym at which time of an evening, and how long they stay.

The curve is fitted to the card readings at the door of a gym for the staff of an office: 5,463 entries on 166 working
days from February 2015 to February 2016, of them 1,725 between 15 and 21 o'clock, published with
https://github.com/mgerlach-klick/gym-heatmap (`resources/gyminout.csv`). It puts 7 of 100 of these into another quarter
of an hour than they were in. The readings tell nothing of stays: who goes out need not show a card there.

Stays are log-normal. Their mean of 69 minutes is what PureGym, a chain of gyms, found for its visits from 2022 to 2024
(https://www.themanual.com/fitness/new-data-shows-the-busiest-time-to-visit-the-gym-and-how-long-people-stay-there/);
their spread and their bounds are assumed: nine of ten stay between 33 and 123 minutes.
"""

from math import exp, log
from random import Random

PEAK_MINUTE = 17 * 60 + 15  # of the day
AFTERNOON = 0.35  # of the peak: how many come while the offices are still at work
RISE_MINUTES, FALL_MINUTES = 8.0, 75.0  # standard deviations before and after the peak

MEAN_STAY_MINUTES = 69.0
STAY_SIGMA = 0.4  # of the logarithm
SHORTEST_STAY, LONGEST_STAY = 10.0, 240.0

PEAK_AT = 1 / 3  # of the time that is simulated: what comes before is there to compare with


def arrivals(minute_of_day: float) -> float:
    """How many come at that minute, as a share of the peak, 0 to 1."""
    after = minute_of_day - PEAK_MINUTE
    if after >= 0:
        return exp(-((after / FALL_MINUTES) ** 2) / 2)
    return AFTERNOON + (1 - AFTERNOON) * exp(-((after / RISE_MINUTES) ** 2) / 2)


def first_minute(minutes: float) -> float:
    """The minute of the day at which a simulation of so many minutes begins."""
    return PEAK_MINUTE - PEAK_AT * minutes


def draw_arrival(random: Random, begin: float, end: float) -> float:
    """The minute of the day at which somebody comes between two others, by the curve."""
    while True:
        minute = random.uniform(begin, end)
        if random.random() < arrivals(minute):
            return minute


def draw_stay(random: Random) -> float:
    """For how many minutes somebody stays."""
    while True:
        stay = random.lognormvariate(log(MEAN_STAY_MINUTES) - STAY_SIGMA**2 / 2, STAY_SIGMA)
        if SHORTEST_STAY <= stay <= LONGEST_STAY:
            return stay
