"""What every feed says of a person and a provider: pseudonym, practice, area, age, sex, site, and when it was sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cbs_analysis.simulation.ages import age_on
from cbs_analysis.simulation.population import People, Place
from cbs_analysis.simulation.random_draws import (
    Choices,
    Flags,
    Ints,
    between,
    hexadecimal,
    number_of,
    shuffled_numbers,
    stream,
)
from cbs_analysis.simulation.record_fields import Records, Text, strings
from cbs_analysis.simulation.scenario import Setting

PERSON_BITS = 24  # so many people of one PCT can be told apart
LATEST = (61, 150)  # days after the end of the month, of records that are late
LAST_DAYS = 3  # a month of a provider is sent on one day and the few after it


@dataclass(frozen=True)
class Living:
    """One PCT's people as records name them. `sent_after`: days after its end at which each provider sends a month,
    providers x months; `late` the share of its records that are late, by provider.
    """

    setting: Setting
    place: Place
    people: People
    pseudonyms: pa.Array
    sites: Choices
    site_codes: tuple[str, ...]
    sent_after: NDArray[np.int32]
    late: NDArray[np.float64]


def living(setting: Setting, code: str, people: People, seed: int) -> Living:
    """The people of a PCT with what records need beside them. A pseudonym depends on the seed, the PCT and the
    person's place in it, and is nobody else's.
    """
    numbers = np.arange(len(people), dtype=np.uint64) + np.uint64(setting.pcts.index(code) << PERSON_BITS)
    pseudonyms = strings(hexadecimal(shuffled_numbers(numbers, number_of(seed, "pseudonyms"))))
    trusts, submission = setting.trusts, setting.world.submission
    first, last = submission.from_to
    days = stream(seed, "submission").integers(
        first, last + 1 - LAST_DAYS, size=(len(trusts.codes), len(setting.months.names)), dtype=np.int32
    )
    return Living(
        setting, setting.places[code], people, pseudonyms, trusts.site_choices(), site_codes(setting), days,
        np.array([submission.late_share_at.get(each, submission.late_share) for each in trusts.codes]),
    )  # fmt: skip


def site_codes(setting: Setting) -> tuple[str, ...]:
    """Codes of sites, three for each provider whether it has them or not."""
    return tuple(f"{code}{number:02d}" for code in setting.trusts.codes for number in (1, 2, 3))


def about_people(
    living: Living, person: Ints, provider: Ints, day: NDArray, rng: np.random.Generator, age_field: str
) -> Records:
    """The fields of people and provider, of each record's person and provider on a day."""
    people, place = living.people, living.place
    site = provider * 3 + living.sites.draw(rng, provider)
    return {
        "person_pseudonym": Text(person.astype(np.int32), living.pseudonyms),
        "commissioner_code": Text(np.zeros(len(person), dtype=np.int32), (place.code,)),
        "gp_practice_code": Text(people.practice[person], place.practices),
        "lsoa_code": Text(people.lsoa[person], place.lsoa_codes),
        "provider_code": Text(provider.astype(np.int32), living.setting.trusts.codes),
        "site_code": Text(site.astype(np.int32), living.site_codes),
        age_field: age_on(day, people.born[person]),
        "person_gender_code": Text((people.sex[person] - 1).astype(np.int32), ("1", "2")),
    }


def sent(living: Living, provider: Ints, day: NDArray, rng: np.random.Generator) -> Ints:
    """The day on which each record was sent, by its provider and the month of its day."""
    months = living.setting.months
    month = months.of(day)
    size = len(provider)
    late: Flags = rng.random(size) < living.late[provider]
    usual = living.sent_after[provider, month] + between(rng, 0, LAST_DAYS, size)
    after = np.where(late, between(rng, *LATEST, size), usual)
    return (months.starts[month + 1] - 1 + after).astype(np.int32)
