"""What Python 3.11 makes of a template: the truth that the Rust code is compared with.

Values are written as in JSON: {"text": …}, {"integer": …} or {"time": microseconds}.
"""
import datetime
import os
import string
import sys
import time
import zoneinfo

assert sys.version_info[:2] == (3, 11), "the semantics are those of Python 3.11"

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class Moment(datetime.datetime):
    """A datetime whose repr is its str: our one wish that Python does not fulfil."""
    __repr__ = datetime.datetime.__str__


class Fields(dict):
    def __missing__(self, name):
        return None


def set_zone(zone):
    """`%s` and `%EZ` ask the process for its zone."""
    if os.environ.get("TZ") != zone:
        os.environ["TZ"] = zone
        time.tzset()


def to_python(value, zone):
    (kind, content), = value.items()
    if kind == "time":
        moment = EPOCH + datetime.timedelta(microseconds=content)
        m = moment.astimezone(zoneinfo.ZoneInfo(zone))
        return Moment(m.year, m.month, m.day, m.hour, m.minute, m.second, m.microsecond,
                      m.tzinfo, fold=m.fold)
    return content


def loads(template):
    """Whether the template is one that we accept at load (bounds on widths left aside)."""
    try:
        for _, name, spec, conversion in string.Formatter().parse(template):
            if name is None:
                continue
            first, rest = __import__("_string").formatter_field_name_split(name)
            if first == "" or isinstance(first, int) or list(rest):
                return False
            if conversion not in (None, "r", "s", "a"):
                return False
            if "{" in spec and any(f[1] is not None for f in string.Formatter().parse(spec)):
                return False
    except ValueError:
        return False
    return True


def expected(template, values, zone):
    """{"text": …}, {"load": None} or {"run": Python's message}."""
    if not loads(template):
        return {"load": None}
    set_zone(zone)
    fields = Fields({name: to_python(value, zone) for name, value in values.items()})
    try:
        text = template.format_map(fields)
    except (ValueError, TypeError, OverflowError) as error:
        return {"run": str(error)}
    if any("\ud800" <= c <= "\udfff" for c in text):
        return {"run": "a surrogate, which UTF-8 cannot hold"}
    return {"text": text}
