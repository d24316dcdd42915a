"""What each prepared table holds, column by column, as the data catalogue describes it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prepared:
    """A prepared table: title, what it is, and its columns in order, each (kind, meaning, unit)."""

    title: str
    description: str
    columns: dict[str, tuple[str, str, str]]
    key: tuple[str, ...]
    caveats: tuple[str, ...] = ()


_YEAR = ("string", "Financial year of discharge or appointment", "")
_FEED = ("string", "apc, op or ae", "")
_PROVIDER = ("string", "Code of the trust", "")
_COMMISSIONER = ("string", "Code of the PCT that pays, as recorded", "")
_SPECIALTY = ("string", "Treatment function, as recorded", "")
_MONTH = ("string", "Month of discharge, appointment or arrival, YYYY-MM", "")
_RECORDS = ("integer", "Records", "records")

PRICES = (
    "Pounds are national mean costs of 2024/25 by healthcare resource group: later groups and later prices. Use them "
    "to weigh one kind of care against another, and not as what was paid."
)
CLEANSED = "Duplicates, as the quality rules find them, are left out."
MODEL = (
    "Expected numbers are from a regression on age, sex, deprivation and case mix; what is not recorded is not "
    "adjusted for."
)

TABLES: dict[str, Prepared] = {
    "records_received": Prepared(
        "Records received",
        "What was sent to the record store by feed, and what became of it.",
        {
            "feed": _FEED,
            "sent": ("integer", "Rows sent", "rows"),
            "loaded": ("integer", "Rows that became new records", "rows"),
            "replaced": ("integer", "Rows that took the place of a record or of an earlier row", "rows"),
            "quarantined": ("integer", "Rows that could not be read", "rows"),
        },
        ("feed",),
    ),
    "records_refused": Prepared(
        "Rows refused",
        "Why rows could not be read, by feed.",
        {"feed": _FEED, "reason": ("string", "Why", ""), "rows": ("integer", "Rows", "rows")},
        ("feed", "reason"),
    ),
    "records_months": Prepared(
        "Records by month",
        "Records in the store by feed, trust, commissioner and month.",
        {
            "feed": _FEED,
            "provider_code": _PROVIDER,
            "commissioner_code": _COMMISSIONER,
            "month": _MONTH,
            "records": _RECORDS,
        },
        ("feed", "provider_code", "commissioner_code", "month"),
    ),
    "records_against_return": Prepared(
        "Records beside the activity return",
        "Records as the Monthly Activity Return counts them, beside what it published.",
        {
            "area_code": ("string", "Code of the PCT", ""),
            "month": _MONTH,
            "measure": ("string", "Measure of the return", ""),
            "records": _RECORDS,
            "published": ("number", "Published count", "admissions or attendances"),
        },
        ("area_code", "month", "measure"),
        (
            "The return counts by PCT code as recorded: a record with a wrong commissioner is in no PCT's count.",
            CLEANSED,
        ),
    ),
    "records_completeness": Prepared(
        "Completeness and validity",
        "How many records have each field filled, and filled with a value that can be true.",
        {
            "feed": _FEED,
            "field": ("string", "Field of the feed", ""),
            "provider_code": _PROVIDER,
            "financial_year": _YEAR,
            "records": _RECORDS,
            "filled": ("integer", "Records with the field filled", "records"),
            "valid": ("integer", "Records with a value that can be true", "records"),
        },
        ("feed", "field", "provider_code", "financial_year"),
    ),
    "records_breaks": Prepared(
        "Breaks in what arrives",
        "Months in which a trust sent far fewer or more records than its other months lead one to expect.",
        {
            "rule": ("string", "Quality rule", ""),
            "feed": _FEED,
            "provider_code": _PROVIDER,
            "month": _MONTH,
            "records": _RECORDS,
            "expected": ("number", "Records expected from the trust's other months", "records"),
        },
        ("rule", "provider_code", "month"),
    ),
    "records_with_errors": Prepared(
        "Records with an error",
        "Records with at least one error, by feed, trust, commissioner and year.",
        {
            "feed": _FEED,
            "provider_code": _PROVIDER,
            "commissioner_code": _COMMISSIONER,
            "financial_year": _YEAR,
            "records": _RECORDS,
            "price_gbp": ("number", "Price of all of them that have one", "GBP"),
            "with_errors": ("integer", "Records with at least one error", "records"),
            "in_question": ("integer", "Records whose whole price is in question", "records"),
            "in_question_gbp": ("number", "Price of those", "GBP"),
        },
        ("feed", "provider_code", "commissioner_code", "financial_year"),
        (PRICES,),
    ),
    "quality_counts": Prepared(
        "Records that break each rule",
        "Records that each quality rule applies to, and those that break it, by trust, commissioner and year.",
        {
            "feed": _FEED,
            "rule": ("string", "Quality rule", ""),
            "provider_code": _PROVIDER,
            "commissioner_code": _COMMISSIONER,
            "financial_year": _YEAR,
            "records": ("integer", "Records that the rule applies to", "records"),
            "failed": ("integer", "Records that break it", "records"),
            "value_gbp": ("number", "Price of those records, where the rule puts it in question", "GBP"),
        },
        ("feed", "rule", "provider_code", "commissioner_code", "financial_year"),
        (PRICES,),
    ),
    "quality_rules": Prepared(
        "Quality rules",
        "What each rule asks, why it matters, and how much.",
        {
            "rule": ("string", "Quality rule", ""),
            "feed": _FEED,
            "kind": ("string", "row, window, series or total", ""),
            "severity": ("string", "error, warning or information", ""),
            "title": ("string", "What is wrong, in few words", ""),
            "what": ("string", "What is wrong", ""),
            "why": ("string", "Why it matters", ""),
        },
        ("rule",),
    ),
    "spell_flows": Prepared(
        "Spells by PCT, trust and specialty",
        "Admitted spells by year, PCT that pays, trust, specialty and kind of admission.",
        {
            "financial_year": _YEAR,
            "commissioner_code": _COMMISSIONER,
            "provider_code": _PROVIDER,
            "treatment_function_code": _SPECIALTY,
            "kind": ("string", "elective ordinary, day case or non-elective", ""),
            "spells": ("integer", "Spells", "spells"),
            "bed_days": ("integer", "Nights of those spells", "bed days"),
            "price_gbp": ("number", "Price of those spells that have one", "GBP"),
            "priced": ("integer", "Spells that have a price", "spells"),
        },
        ("financial_year", "commissioner_code", "provider_code", "treatment_function_code", "kind"),
        (CLEANSED, PRICES),
    ),
    "outpatient_flows": Prepared(
        "Outpatient appointments by PCT, trust and specialty",
        "Appointments by year, PCT that pays, trust and specialty.",
        {
            "financial_year": _YEAR,
            "commissioner_code": _COMMISSIONER,
            "provider_code": _PROVIDER,
            "treatment_function_code": _SPECIALTY,
            "appointments": ("integer", "Appointments", "appointments"),
            "first": ("integer", "First attendances", "attendances"),
            "follow_up": ("integer", "Follow-up attendances", "attendances"),
            "not_seen": ("integer", "Appointments not attended or cancelled", "appointments"),
        },
        ("financial_year", "commissioner_code", "provider_code", "treatment_function_code"),
        (CLEANSED,),
    ),
    "benchmark_providers": Prepared(
        "Trusts on four measures, allowing for whom they treat",
        "Observed and expected by trust, for all specialties together and for each.",
        {
            "financial_year": _YEAR,
            "measure": ("string", "day_case, length_of_stay, readmission or follow_up", ""),
            "treatment_function_code": ("string", "Treatment function, or all", ""),
            "provider_code": _PROVIDER,
            "cases": ("integer", "Spells or first attendances measured", "cases"),
            "observed": ("number", "Day cases, nights, readmissions or follow-ups", "events"),
            "expected": ("number", "The same at the average trust's effect", "events"),
            "standard_error": ("number", "Standard error of the logarithm of observed over expected", "log ratio"),
            "price_gbp": ("number", "Mean price of one event more, NaN where none is known", "GBP"),
        },
        ("financial_year", "measure", "treatment_function_code", "provider_code"),
        (CLEANSED, MODEL, PRICES),
    ),
    "benchmark_areas": Prepared(
        "PCTs on four measures, allowing for who they are and where they are treated",
        "Observed and expected by PCT, trust and specialty.",
        {
            "financial_year": _YEAR,
            "measure": ("string", "day_case, length_of_stay, readmission or follow_up", ""),
            "treatment_function_code": _SPECIALTY,
            "commissioner_code": _COMMISSIONER,
            "provider_code": _PROVIDER,
            "cases": ("integer", "Spells or first attendances measured", "cases"),
            "observed": ("number", "Day cases, nights, readmissions or follow-ups", "events"),
            "expected": ("number", "The same at the average trust's effect", "events"),
            "variance": ("number", "Variance of observed by chance", "events squared"),
        },
        ("financial_year", "measure", "treatment_function_code", "commissioner_code", "provider_code"),
        (CLEANSED, MODEL),
    ),
    "benchmark_models": Prepared(
        "Case-mix models",
        "The coefficients of each model, and how well it fits.",
        {
            "financial_year": _YEAR,
            "measure": ("string", "day_case, length_of_stay, readmission or follow_up", ""),
            "term": ("string", "Covariate, or what is said of the model", ""),
            "level": ("string", "Level of the covariate", ""),
            "estimate": ("number", "Coefficient, or the number itself", "log odds or log ratio"),
            "standard_error": ("number", "Its standard error", "log odds or log ratio"),
        },
        ("financial_year", "measure", "term", "level"),
        (MODEL,),
    ),
}
