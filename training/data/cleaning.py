"""Order lines that are not products: postage, fees, vouchers, stock notes.

They are neither trained on nor recommended.
"""

import re

_WHOLE = re.compile(
    r"""^\W*(
        post(age)? | dotcom(\s*postage)? | (next\s+day\s+)?carriage | shipping(\s+fee)? | delivery | handling(\s+fee)?
        | gift\s*wrap(ping)?\s+fee | manual(\s+adjustment)? | discount | adjust(ment)?s? | bank\s+charges? |
        packing\s+charges?
        | cruk\s+commission | (amazon|ebay)(\s+(fee|sales|adjust(ment)?|sold\s+sets))? | (show\s+)?samples?
        | checks? | display | found | lost | missing | damage[sd]? | dagamed | crushed | broken | breakages | test
        | high\s+resolution\s+image | john\s+lewis | wet | smashed | cracked | faulty | mailout | returned | showroom |
        mouldy | counted
    )\W*$""",
    re.IGNORECASE | re.VERBOSE,
)
_PART = re.compile(
    r"""( adjust\s+bad\s+debt | bank\s+charges | \badjustment\b | gift\s+voucher | gift\s+card\s+top | thrown\s+away
        | wrongly\s+(coded|marked|sold|mrked) | sold\s+as\s+(sets?|\d) | stock\s+(entry|check|credit) | \bbarcode\b |
        \?{2,}
        | damages?/ | water\s+damage | wrong\s+code | put\s+aside | incorrect(ly)?\s+(stock|credit|made|put)
        | dotcom\s+(sales|set|sold|adjust) | credit\s+error | label\s+mix )""",
    re.IGNORECASE | re.VERBOSE,
)


def is_product_title(title: str) -> bool:
    """False for titles that name a fee, a shipping charge, a voucher or a warehouse note; True for an empty title."""
    return not (_WHOLE.match(title) or _PART.search(title))
