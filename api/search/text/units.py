"""Units of measure: a number and its unit are one word, however they are written."""

# Every spelling of a unit, by the one that stands for it.
_SPELLINGS = {
    "in": 'in inch inches zoll " pulgadas pouces',
    "ft": "ft feet foot",
    "cm": "cm centimeter centimeters centimetre centimetres zentimeter",
    "mm": "mm millimeter millimeters millimetre millimetres",
    "m": "m meter meters metre metres",
    "oz": "oz ounce ounces",
    "floz": "floz",
    "lb": "lb lbs pound pounds",
    "kg": "kg kilo kilos kilogram kilograms kilogramm",
    "g": "g gram grams gramm",
    "mg": "mg milligram milligrams",
    "ml": "ml milliliter milliliters millilitre millilitres",
    "l": "l liter liters litre litres",
    "qt": "qt quart quarts",
    "gal": "gal gallon gallons",
    "w": "w watt watts",
    "kw": "kw kilowatt kilowatts",
    "v": "v volt volts",
    "mah": "mah",
    "hz": "hz hertz",
    "mb": "mb megabyte megabytes",
    "gb": "gb gigabyte gigabytes",
    "tb": "tb terabyte terabytes",
    "mp": "mp megapixel megapixels",
    "pk": "pk pack packs pcs pc piece pieces ct count",
}
UNITS = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings.split()}
