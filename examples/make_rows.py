"""Makes rows of the shape of the real job, the same for the same seed.

    python make_rows.py ROWS [OUT] [--seed N]
"""

import argparse
import random
import sys

COLUMNS = 'ID,SKU,FLUX,MANUFACTURER_NAME,DESCRIPTION'
CHUNK_ROWS = 10_000


def make_rows(first, count, source):
    """`count` CSV lines as one text: running number, integer up to 100,000, float in [0, 1), 32 and 64 hex digits."""
    number, bits = source.random, source.getrandbits
    lines = [
        f'{row},{int(number() * 100_001)},{number()!r},{bits(128):032x},{bits(256):064x}\n'
        for row in range(first, first + count)
    ]
    return ''.join(lines)


def main():
    parser = argparse.ArgumentParser(description='Make a CSV file of random rows.')
    parser.add_argument('rows', metavar='ROWS', type=int)
    parser.add_argument('output', metavar='OUT', nargs='?', help='default: standard output')
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    if options.rows < 0:
        parser.error(f'ROWS must be 0 or more, not {options.rows}')

    source = random.Random(options.seed)
    out = open(options.output, 'w', newline='') if options.output else sys.stdout
    with out:
        out.write(COLUMNS + '\n')
        for first in range(0, options.rows, CHUNK_ROWS):
            out.write(make_rows(first, min(CHUNK_ROWS, options.rows - first), source))


if __name__ == '__main__':
    main()
